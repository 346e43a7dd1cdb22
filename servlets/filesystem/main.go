// Filesystem is a servlet with the tools of a filesystem server: it reads, searches and changes the files
// of one folder. It is an ordinary Go program on package os; that it cannot leave the folder is the
// sandbox's doing, not its own.
package main

import servlet "github.com/writ-run/writ/sdk/go"

func init() {
	registerReading()
	registerListing()
	registerChanging()
}

// reading is a tool that changes nothing. All tools are closed: they deal with one folder only.
func reading(name, title, description string) servlet.Tool {
	return servlet.Tool{Name: name, Title: title, Description: description, ReadOnly: true, ClosedWorld: true}
}

func registerReading() {
	servlet.AddTool(reading("read_text_file", "Read text file",
		"Reads a text file. Give head or tail to read only the first or last lines of a long one. "+
			"Refuses files that are not text."), readTextFile)
	servlet.AddTool(reading("read_media_file", "Read media file",
		"Reads a picture or a sound file and returns it as such; any other file is returned as a binary document."), readMediaFile)
	servlet.AddTool(reading("read_multiple_files", "Read several files",
		"Reads several text files at once, each under its path. A file that cannot be read is reported in its "+
			"place and does not stop the others."), readMultipleFiles)
}

func registerListing() {
	servlet.AddTool(reading("list_directory", "List directory",
		"Lists a directory, one entry per line, each marked [DIR], [FILE] or [LINK]."), listDirectory)
	servlet.AddTool(reading("list_directory_with_sizes", "List directory with sizes",
		"Lists a directory with the size of each file, and the totals."), listDirectoryWithSizes)
	servlet.AddTool(reading("directory_tree", "Directory tree",
		"Returns everything below a directory as a JSON tree: each entry has a name and a type, directories have children."), directoryTree)
	servlet.AddTool(reading("search_files", "Search files",
		"Finds files and directories by a glob pattern for their path below the start: *.md in the directory "+
			"itself, **/*.md at any depth. Case does not matter. Links are not followed."), searchFiles)
	servlet.AddTool(reading("get_file_info", "File information",
		"Returns the type, size and modification time of a file or directory."), getFileInfo)
	servlet.AddTool(reading("list_allowed_directories", "List allowed directories",
		"Lists the directories that these tools can reach. Everything else does not exist for them."), listAllowedDirectories)
}

func registerChanging() {
	servlet.AddTool(servlet.Tool{
		Name: "write_file", Title: "Write file", Idempotent: true, ClosedWorld: true,
		Description: "Writes a text file: creates it, or replaces everything in it. To change a part of a file use edit_file.",
	}, writeFile)
	servlet.AddTool(servlet.Tool{
		Name: "edit_file", Title: "Edit file", ClosedWorld: true,
		Description: "Changes parts of a text file. Each edit replaces oldText, which must occur exactly once, by newText; " +
			"edits apply in order, all or none. Spaces around lines may differ when nothing matches exactly. " +
			"Returns a diff; with dryRun nothing is written.",
	}, editFile)
	servlet.AddTool(servlet.Tool{
		Name: "create_directory", Title: "Create directory", Additive: true, Idempotent: true, ClosedWorld: true,
		Description: "Creates a directory, and those above it when they are missing. One that exists is fine.",
	}, createDirectory)
	servlet.AddTool(servlet.Tool{
		Name: "move_file", Title: "Move file", ClosedWorld: true,
		Description: "Moves or renames a file or directory. Fails when there is something at the destination.",
	}, moveFile)
}

func main() {} // never runs: a servlet answers calls

package clients

// Candidates are the files and signs of a client on a machine, for the table of places.
func Candidates(c Client, m Machine) (files, signs []string) {
	at := c.places(m)
	return at.files, at.signs
}

// LocateIn is Locate with the files of a table.
func LocateIn(files []string) Place { return candidates{files: files}.locate() }

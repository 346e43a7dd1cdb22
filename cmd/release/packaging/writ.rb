class Writ < Formula
  desc "Run MCP tools as signed WebAssembly servlets that hold only what you approved"
  homepage "https://github.com/writ-run/writ"
  version "{{.Version}}"
  license "Apache-2.0"
{{range .Systems}}
  on_{{.Name}} do
{{- range .Archives}}
    on_{{.Name}} do
      url "{{.URL}}"
      sha256 "{{.SHA256}}"
    end
{{- end}}
  end
{{end}}
  def install
    bin.install "writ"
    system bin/"writ", "man", man1
    generate_completions_from_executable(bin/"writ", "completion")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/writ version")
    assert_match "filesystem", shell_output("#{bin}/writ search")
  end
end

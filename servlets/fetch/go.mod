module github.com/writ-run/writ/servlets/fetch

go 1.26

require (
	github.com/JohannesKaufmann/html-to-markdown/v2 v2.5.2
	github.com/writ-run/writ/sdk/go v0.0.0
	golang.org/x/net v0.55.0
	golang.org/x/text v0.37.0
)

require github.com/JohannesKaufmann/dom v0.3.1 // indirect

replace github.com/writ-run/writ/sdk/go => ../../sdk/go

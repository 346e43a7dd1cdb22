module github.com/writ-run/writ/sdk/go

go 1.26

module github.com/writ-run/writ/servlets/memory

go 1.26

require github.com/writ-run/writ/sdk/go v0.0.0

replace github.com/writ-run/writ/sdk/go => ../../sdk/go

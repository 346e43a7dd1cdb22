module github.com/writ-run/writ/testdata/abi/go

go 1.26

require github.com/writ-run/writ/sdk/go v0.0.0

replace github.com/writ-run/writ/sdk/go => ../../../sdk/go

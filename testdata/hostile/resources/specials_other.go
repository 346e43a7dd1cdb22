//go:build !unix

package resources

// makeSpecials makes what no guest may open; here there is nothing of the kind.
func makeSpecials(string) (made []string, err error) { return nil, nil }

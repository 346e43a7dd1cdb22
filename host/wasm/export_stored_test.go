package wasm

import "reflect"

// Same says that two metered modules are equal in every field there is.
func Same(a, b Metered) bool { return reflect.DeepEqual(a, b) }

// Embeds says that a file of this package is part of its identity.
func Embeds(name string) bool {
	_, err := source.Open(name)
	return err == nil
}

// IdentityOf is the identity of another source.
var IdentityOf = identityOf

//go:build !race

package resources

const raced = false

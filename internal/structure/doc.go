// Package structure holds the tests of the repository's shape: which package
// may import which, what must be documented, how large a file may grow, what no
// file may name. A rule that only people remember is broken by the next person.
//
// It has no code of its own and nobody imports it, which is why it is internal
// and not at the root: the root stays free of Go files, and "go doc" there
// shows the commands' and rooms' docs only.
package structure

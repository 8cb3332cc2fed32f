//go:build !unix

package server

// descriptors returns how many this process may have open; 0: nobody says.
func descriptors() int { return 0 }

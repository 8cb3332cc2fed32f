// Package broken has no code of its own: its tests do to a cluster of three what
// happens to clusters (partitions added, leaders lost, topics made again, disks
// that rot) while a pod serves it, and hold what its clients received against
// the log. What the fault run does at random is in e2e/faults.
package broken

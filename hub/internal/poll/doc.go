// Package poll is the little that a shard needs of the kernel: to wait for many
// sockets at once, and to write without waiting, to one or, where the kernel lets
// it, to many with one call. It exists on Linux; elsewhere it is empty and the
// hub's portable walker does the work. Start at Poller; sends are in Send and Queue.
//
// # Contract
//
// A descriptor is watched from Add until it is closed; there is nothing to
// change or to take back in between. Readiness is edge-triggered: what was
// reported is not reported again until it changes.
//
//   - Gone: the peer closed or half closed its side, reset the connection, or
//     sent something. It is reported once; nobody reads, for nothing that a peer
//     can say after its request is of use.
//   - Writable: a send that was cut short may go on. A socket that was never
//     full reports it once, after Add, and then never. So the interest can
//     stand from the beginning, and no system call is spent on switching it.
//
// An event carries the token that Add was given. A token may be that of a
// descriptor closed since the wait began: whoever reuses tokens must be able to
// tell.
//
// Wake ends the current wait, or the next one, from any goroutine. Many calls
// before that wait count as one. Wake and Close are safe at any time, also
// after Close; Add and Wait belong to one goroutine. Close closes nothing that
// was added.
package poll

package poll

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What io_uring is asked for, by include/uapi/linux/io_uring.h.
const (
	opSendmsg = 9
	opSend    = 26

	mapRings       = 0
	mapSubmissions = 0x10000000

	featureOneMap   = 1 << 0
	featureFastPoll = 1 << 5 // came with Linux 5.7, a version after opSend

	enterGetEvents = 1 << 0
)

// unsent is the result of a send that the kernel was not given.
const unsent = math.MinInt32

// errHalfway is the result of a send of which the kernel has not said whether
// it was made.
var errHalfway = errors.New("send: given to io_uring, which failed")

// Queue hands many sends to the kernel in one call, by io_uring. Each of them is
// that of [Send.To]: it takes what the socket has room for and never waits, so
// that all are over when the call returns. What is saved is the way into the
// kernel and out of it, which is a good part of what a small send costs. Its
// methods are for one goroutine at a time.
type Queue struct {
	fd      int
	rings   []byte // mapped
	entries []byte // mapped: submissions

	head, tail         *uint32 // of the submissions; the kernel moves the head
	doneHead, doneTail *uint32 // of the completions; the kernel moves the tail
	submissions        []submission
	completions        []completion

	sends   []*Send // as they were added
	fds     []int32
	results []int32 // bytes, or an error number below zero, or unsent
}

// submission is a struct io_uring_sqe, as far as sends need it.
type submission struct {
	op      uint8
	_       [3]uint8
	fd      int32
	_       uint64
	address uint64
	length  uint32
	flags   uint32
	user    uint64
	_       [3]uint64
}

// completion is a struct io_uring_cqe.
type completion struct {
	user   uint64
	result int32
	_      uint32
}

// setup is a struct io_uring_params.
type setup struct {
	entries, doneEntries uint32
	_                    [3]uint32
	features             uint32
	_                    [4]uint32
	at                   struct{ head, tail, mask, size, flags, dropped, array, _, _, _ uint32 }
	doneAt               struct{ head, tail, mask, size, overflow, entries, flags, _, _, _ uint32 }
}

// NewQueue returns a queue for size sends at a time, a power of two of at most
// 4096. The error says why there is none: this kernel is older than 5.7, or who
// runs the program does not let it use io_uring.
func NewQueue(size int) (*Queue, error) {
	var p setup
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(size), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring: %w", errno)
	}
	q := &Queue{fd: int(fd)}
	if err := q.attach(&p); err != nil {
		return nil, errors.Join(fmt.Errorf("io_uring: %w", err), q.Close())
	}
	return q, nil
}

// attach maps what the queue shares with the kernel.
func (q *Queue) attach(p *setup) (err error) {
	if p.features&featureOneMap == 0 || p.features&featureFastPoll == 0 {
		return errors.New("the kernel is older than 5.7")
	}
	size, doneSize := int(p.entries), int(p.doneEntries)
	length := max(int(p.at.array)+size*4, int(p.doneAt.entries)+doneSize*int(unsafe.Sizeof(completion{})))
	const access, shared = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	if q.rings, err = unix.Mmap(q.fd, mapRings, length, access, shared); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	if q.entries, err = unix.Mmap(q.fd, mapSubmissions, size*int(unsafe.Sizeof(submission{})), access, shared); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	word := func(at uint32) *uint32 { return (*uint32)(unsafe.Pointer(&q.rings[at])) }
	q.head, q.tail = word(p.at.head), word(p.at.tail)
	q.doneHead, q.doneTail = word(p.doneAt.head), word(p.doneAt.tail)
	q.submissions = unsafe.Slice((*submission)(unsafe.Pointer(&q.entries[0])), size)
	q.completions = unsafe.Slice((*completion)(unsafe.Pointer(&q.rings[p.doneAt.entries])), doneSize)
	order := unsafe.Slice(word(p.at.array), size)
	for i := range order { // that of their places, always
		order[i] = uint32(i)
	}
	q.sends, q.fds, q.results = make([]*Send, 0, size), make([]int32, 0, size), make([]int32, size)
	return nil
}

// Close gives everything back. Nothing may be added afterwards.
func (q *Queue) Close() error {
	var errs []error
	for _, mapped := range [][]byte{q.rings, q.entries} {
		if mapped != nil {
			errs = append(errs, unix.Munmap(mapped))
		}
	}
	q.rings, q.entries = nil, nil
	return errors.Join(append(errs, unix.Close(q.fd))...)
}

// Full says whether no send may be added before those in the queue are made.
func (q *Queue) Full() bool { return len(q.sends) == cap(q.sends) }

// Add puts the send of s, which is not empty, into the queue, which is not full.
// s must not change before the queue is emptied.
func (q *Queue) Add(fd int, s *Send) {
	i := len(q.sends)
	q.sends, q.fds = append(q.sends, s), append(q.fds, int32(fd))
	e := &q.submissions[(*q.tail+uint32(i))&uint32(len(q.submissions)-1)]
	e.fd, e.flags, e.user = int32(fd), sendFlags, uint64(i)
	if len(s.iov) == 1 {
		e.op, e.address, e.length = opSend, uint64(uintptr(unsafe.Pointer(s.iov[0].Base))), uint32(min(s.iov[0].Len, math.MaxInt32))
		return
	}
	e.op, e.address, e.length = opSendmsg, uint64(uintptr(unsafe.Pointer(s.message()))), 1
}

// Send makes all sends that are in the queue. The error is of io_uring itself,
// not of one of them; they are made all the same, each by a call of its own.
//
// The call is raw, as a single send's is, though it takes as long as all of them:
// told of it, Go's scheduler gives the processor away meanwhile, and who has sent waits
// to get one back, which added a third of a millisecond to the median of a
// thousand clients. A stop of the world waits for the call instead.
func (q *Queue) Send() error {
	n := len(q.sends)
	for i := range n {
		q.results[i] = unsent
	}
	atomic.StoreUint32(q.tail, *q.tail+uint32(n))
	var failed error
	for given, done := 0, 0; done < n && failed == nil; {
		took, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(q.fd), uintptr(n-given), uintptr(n-done), enterGetEvents, 0, 0)
		if errno == 0 {
			given += int(took)
		} else if errno != syscall.EINTR {
			failed = fmt.Errorf("io_uring: %w", errno)
		}
		done += q.reap()
	}
	runtime.KeepAlive(q.sends)
	if failed != nil {
		q.takeBack()
	}
	for i, got := range q.results[:n] {
		if got == -int32(syscall.EINTR) {
			q.sendAlone(i)
		}
	}
	return failed
}

// reap takes the results that are there and returns their number.
func (q *Queue) reap() int {
	head, tail := *q.doneHead, atomic.LoadUint32(q.doneTail)
	n := int(tail - head)
	for ; head != tail; head++ {
		c := &q.completions[head&uint32(len(q.completions)-1)]
		q.results[c.user] = c.result
	}
	atomic.StoreUint32(q.doneHead, head)
	return n
}

// takeBack takes what the kernel has not taken out of the queue and sends it. What
// it took and did not finish stays unsent: nobody knows what became of it.
func (q *Queue) takeBack() {
	left := *q.tail - atomic.LoadUint32(q.head)
	atomic.StoreUint32(q.tail, *q.tail-left)
	for i := len(q.sends) - int(left); i < len(q.sends); i++ {
		q.sendAlone(i)
	}
}

func (q *Queue) sendAlone(i int) {
	n, errno := q.sends[i].to(int(q.fds[i]))
	q.results[i] = int32(n)
	if errno != 0 {
		q.results[i] = -int32(errno)
	}
}

// Result returns what became of the send that was added as number i, as
// [Send.To] would. It stands until the next call of Send.
func (q *Queue) Result(i int) (int, error) {
	n := q.results[i]
	switch {
	case n == unsent:
		return 0, errHalfway
	case n < 0:
		return sent(0, syscall.Errno(-n))
	}
	return int(n), nil
}

// Empty forgets the sends and keeps nothing alive.
func (q *Queue) Empty() {
	clear(q.sends)
	q.sends, q.fds = q.sends[:0], q.fds[:0]
}

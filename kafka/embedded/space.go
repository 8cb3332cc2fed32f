package embedded

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// minFree is what must be free on the disk for a transaction to begin or end: its
// markers and the record of its producer. kfake, where it cannot write the marker
// of a transaction that ends, forgets the transaction, and an aborted one would be
// shown.
const minFree = 1 << 20

// repeatFullEvery is how often is said that the disk is full.
const repeatFullEvery = 30 * time.Second

// space keeps a reserve on the disk. Below it nothing is taken from producers:
// they are told that the log cannot store it now, which Kafka's clients try again
// until it can, so that they are held up and lose nothing. What frees space goes
// on meanwhile, and finds the room that it needs. Waiting for a write to fail
// instead would be too late: a marker or an entry of an index that was written in
// part is more than a record that was not taken.
type space struct {
	dir     string
	reserve uint64
	log     *slog.Logger
	cluster *kfake.Cluster
	stamper *stamper

	// owned by kfake's loop
	full bool
	said time.Time
}

// produce is a control function of kfake that sees each Produce before it is
// handled.
func (s *space) produce(kreq kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's signature
	s.cluster.KeepControl()
	req, ok := kreq.(*kmsg.ProduceRequest)
	if !ok || s.free() >= s.reserve || s.ownIn(req) {
		return nil, nil, false
	}
	if req.Acks == 0 {
		return nil, errFull, true // nobody waits for an answer: the closed connection is one
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for i := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = req.Topics[i].Topic, req.Topics[i].TopicID
		for j := range req.Topics[i].Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode = req.Topics[i].Partitions[j].Partition, kerr.KafkaStorageError.Code
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil, true
}

// ownIn reports whether a request holds what the cleaner copies to free space, and
// there is room for it.
func (s *space) ownIn(req *kmsg.ProduceRequest) bool {
	return len(req.Topics) == 1 && len(req.Topics[0].Partitions) == 1 && s.stamper.isOwn(req.Topics[0].Partitions[0].Records) &&
		s.free() >= minFree+uint64(len(req.Topics[0].Partitions[0].Records))
}

// transact is a control function that sees what begins and ends transactions.
func (s *space) transact(kreq kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's signature
	s.cluster.KeepControl()
	if s.free() >= min(s.reserve, minFree) {
		return nil, nil, false
	}
	switch resp := kreq.ResponseKind().(type) {
	case *kmsg.InitProducerIDResponse:
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp, nil, true
	case *kmsg.EndTxnResponse:
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp, nil, true
	}
	return nil, nil, false
}

// errFull closes a connection.
var errFull = errors.New("the disk is nearly full")

// free returns how many bytes are free, and says when that is too little, and when
// no more.
func (s *space) free() uint64 {
	free, err := freeBytes(s.dir)
	if err != nil {
		return math.MaxUint64 // a write will tell
	}
	switch now := time.Now(); {
	case free >= s.reserve && s.full:
		s.full, s.said = false, time.Time{}
		s.log.Warn("embedded log: there is room on the disk again; going on", "dir", s.dir, "free_mib", free>>20)
	case free < s.reserve && now.Sub(s.said) >= repeatFullEvery:
		s.full, s.said = true, now
		s.log.Error("embedded log: the disk is nearly full; producers are held up until there is room: "+
			"delete what is not needed there, or give topics a smaller retention.bytes",
			"dir", s.dir, "free_mib", free>>20, "needed_mib", s.reserve>>20)
	}
	return free
}

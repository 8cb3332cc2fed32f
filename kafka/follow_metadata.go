package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// requestMetadata asks any broker for partitions and leaders.
func (f *follower) requestMetadata() {
	f.metaFlight = true
	req := kmsg.NewPtrMetadataRequest()
	for _, t := range f.topics {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = kmsg.StringPtr(t.name)
		req.Topics = append(req.Topics, rt)
	}
	f.fly(-1, nil, func(ctx context.Context) func() {
		resp, err := req.RequestWith(ctx, f.cl)
		return func() { f.applyMetadata(resp, err) }
	})
}

func (f *follower) applyMetadata(resp *kmsg.MetadataResponse, err error) {
	now := time.Now()
	f.metaAt = now.Add(f.cfg.refresh)
	if err != nil {
		f.metaFails++
		f.metaAt = now.Add(backoff(f.metaFails))
		f.sayRarely("metadata", "kafka does not answer; retrying", "brokers", f.addrs, "err", err)
		return
	}
	if f.metaFails > 0 {
		delete(f.quiet, "metadata")
		f.log.Info("kafka answers again")
	}
	f.metaFails = 0
	for _, rt := range resp.Topics {
		for _, t := range f.topics {
			if rt.Topic != nil && *rt.Topic == t.name {
				f.describe(t, &rt, now)
			}
		}
	}
}

// describe takes over what metadata says of one topic.
func (f *follower) describe(t *topic, rt *kmsg.MetadataResponseTopic, now time.Time) {
	if err := kerr.ErrorForCode(rt.ErrorCode); err != nil {
		f.metaAt = now.Add(backoffMost)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			err = ErrNoTopic
		}
		f.sayRarely("topic "+t.name, "topic cannot be read now; retrying", "topic", t.name, "err", err)
		return
	}
	if slices.Contains(t.former, rt.TopicID) {
		f.refreshSoon() // a broker that has not yet heard of the recreation
		return
	}
	firstLook := t.id == [16]byte{}
	changed := firstLook
	if !firstLook && t.id != rt.TopicID {
		f.log.Warn("topic was recreated; reading the new one from its start", "topic", t.name,
			"old", fmt.Sprintf("%x", t.id), "new", fmt.Sprintf("%x", rt.TopicID))
		t.generation++
		t.former = append(t.former, t.id)
		t.partitions = nil
		t.offsets = nil
		changed = true
	}
	t.id = rt.TopicID
	for int32(len(t.partitions)) < int32(len(rt.Partitions)) {
		changed = true
		t.partitions = append(t.partitions, f.addPartition(t, int32(len(t.partitions)), firstLook))
	}
	for _, rp := range rt.Partitions {
		if int(rp.Partition) < len(t.partitions) {
			f.lead(t.partitions[rp.Partition], rp.Leader, now)
		}
	}
	if changed {
		f.ready = append(f.ready, delivery{kind: deliverTopic, topic: t})
	}
}

func (f *follower) addPartition(t *topic, number int32, firstLook bool) *partition {
	p := &partition{
		topic: t, number: number, leader: -1, next: unresolved, first: firstLook,
		lag: f.metrics.lag.WithLabelValues(t.name, strconv.Itoa(int(number))),
	}
	if offset, ok := t.offsets[number]; ok {
		p.next = offset
	}
	return p
}

// lead takes over a partition's leader.
func (f *follower) lead(p *partition, leader int32, now time.Time) {
	if leader < 0 {
		if p.leader >= 0 || p.noLeadT.IsZero() {
			p.noLeadT = now
		}
		f.metaAt = minTime(f.metaAt, now.Add(backoffMost))
	} else {
		if p.leader != leader {
			p.retryAt = time.Time{}
		}
		if p.told {
			p.told = false
			f.ready = append(f.ready, delivery{kind: deliverLed, topic: p.topic, partition: p})
		}
	}
	p.leader = leader
}

// noticeLeaderless reports a partition once when it has long been without leader.
func (f *follower) noticeLeaderless(p *partition, now time.Time) {
	if p.told || now.Sub(p.noLeadT) < leaderlessAfter {
		return
	}
	p.told = true
	f.log.Warn("partition has no leader; the others go on", "topic", p.topic.name, "partition", p.number)
	f.ready = append(f.ready, delivery{kind: deliverNoLeader, topic: p.topic, partition: p})
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

package loadtest

import (
	"hash/maphash"

	"livemap/sse"
)

// reading says how records are read: where their place and their time of
// publication stand.
type reading struct {
	envelope bool
	sequence string // field; empty: none
	time     string // field of the value; empty: the envelope's at
	settle   int64  // Config.Settle in microseconds
}

// defaultTime is the field of livemap's records with the time of publication.
const defaultTime = "emitted_at"

func readingOf(c *Config, t *target) reading {
	r := reading{envelope: t.envelope, sequence: c.Sequence, time: c.Time, settle: c.Settle.Microseconds()}
	if !r.envelope && r.time == "" {
		r.time = defaultTime
	}
	return r
}

// String says how losses are found, for the report.
func (r reading) String() string {
	switch {
	case r.sequence != "":
		return "sequence " + r.sequence
	case r.envelope:
		return "offsets"
	}
	return "ids"
}

// event handles one event of the current client.
func (r *receiver) event(e *sse.Event) {
	r.counts[Events]++
	switch string(e.Name) {
	case "hello":
		r.counts[Hellos]++
	case "heartbeat":
		r.counts[Heartbeats]++
	case "gap":
		r.gap(e.Data)
	case "delete":
		r.deleted(e.Data)
	case "goodbye":
		r.farewell(e.Data)
	default:
		r.counts[Records]++
		r.record(e)
	}
}

// placed is what is read of a record.
type placed struct {
	entry
	hasTopic, hasPartition, hasOffset bool
	at                                int64 // publication, microseconds since the epoch
	hasAt                             bool
	value                             []byte
}

// record enters a record in the accounts and its latency in the histogram.
func (r *receiver) record(e *sse.Event) {
	p := placed{}
	p.topic = e.Name
	ok := true
	if r.reading.envelope {
		ok = r.readEnvelope(e.Data, &p)
	} else {
		p.value = e.Data
	}
	if ok && (r.reading.sequence != "" || r.reading.time != "") {
		ok = r.readValue(&p)
	}
	switch {
	case !ok:
		r.counts[Malformed]++
	case r.reading.sequence != "":
		p.partition, p.key = 0, nil
		if p.hasOffset {
			r.accounts.record(&r.cur.cells, p.entry)
		} else {
			r.counts[Unjudged]++
		}
	case r.reading.envelope:
		r.accounts.record(&r.cur.cells, p.entry)
	}
	if r.reading.sequence == "" && !r.reading.envelope {
		r.sameID(e)
	}
	r.latencyOf(&p)
}

// readEnvelope reads {topic,partition,offset,at,key,value}, the value only if
// it is needed.
func (r *receiver) readEnvelope(b []byte, p *placed) bool {
	needValue := r.reading.sequence != "" || r.reading.time != ""
	wellFormed := eachField(b, func(name, v []byte) bool {
		switch string(name) {
		case "topic":
			p.topic, p.hasTopic = text(v)
		case "partition":
			p.partition, p.hasPartition = integer(v)
		case "offset":
			p.offset, p.hasOffset = integer(v)
		case "at":
			p.at, p.hasAt = instant(v)
		case "key":
			p.key, _ = text(v)
			// livemap writes the value last: there is no need to read it.
			return needValue || !p.hasTopic || !p.hasPartition || !p.hasOffset
		case "value":
			p.value = v
		}
		return true
	})
	return wellFormed && p.hasTopic && p.hasPartition && p.hasOffset
}

// readValue reads the fields that the configuration names.
func (r *receiver) readValue(p *placed) bool {
	if r.reading.sequence != "" {
		p.hasOffset = false
	}
	if r.reading.time != "" {
		p.hasAt = false
	}
	return eachField(p.value, func(name, v []byte) bool {
		if r.reading.sequence != "" && string(name) == r.reading.sequence {
			p.offset, p.hasOffset = integer(v)
		}
		if string(name) == r.reading.time {
			p.at, p.hasAt = instant(v)
		}
		return !p.hasAt || r.reading.sequence != "" && !p.hasOffset
	})
}

// sameID is all that can be said of records that do not tell their place: each
// moves the id on.
func (r *receiver) sameID(e *sse.Event) {
	if !e.HasID {
		return
	}
	h := maphash.Bytes(r.seed, e.ID)
	if h == r.cur.lastRecord {
		r.counts[Repeated]++
	}
	r.cur.lastRecord = h
}

// latencyOf records the time from publication to receipt. The time of
// publication stands in the record, whatever was the matter with the server,
// the network or the swarm since: a stall lengthens the latency of every record
// that was due in it, and is not left out because nobody could look at a clock
// meanwhile (which is called coordinated omission).
//
// Left out are records from before the client asked, which come as history, those
// from before it has settled, and clients that are slow on purpose.
func (r *receiver) latencyOf(p *placed) {
	switch {
	case !p.hasAt:
		r.counts[Unstamped]++
	case p.at < r.cur.asked:
		r.counts[Backlog]++
	case p.at < r.cur.asked+r.reading.settle:
		r.counts[Settling]++
	case r.cur.slow:
	case p.at > r.now:
		r.counts[Ahead]++
		record(r.latency, 0, &r.counts)
	default:
		record(r.latency, r.now-p.at, &r.counts)
	}
}

// gap handles {topic,partition,reason,from,to,at_most}.
func (r *receiver) gap(b []byte) {
	var topic, reason []byte
	partition, from, to := int64(-1), int64(-1), int64(-1)
	read := func(v []byte) int64 {
		if n, ok := integer(v); ok && n >= 0 && n <= maxOffset {
			return n
		}
		return -1
	}
	eachField(b, func(name, v []byte) bool {
		switch string(name) {
		case "topic":
			topic, _ = text(v)
		case "reason":
			reason, _ = text(v)
		case "partition":
			partition = read(v)
		case "from":
			from = read(v)
		case "to":
			to = read(v)
		}
		return true
	})
	count := gapCount(reason)
	r.counts[count]++
	if r.reading.sequence != "" {
		partition, from, to = -1, -1, -1 // they are offsets, not numbers of the sequence
	}
	if r.reading.sequence != "" || r.reading.envelope {
		r.accounts.gap(&r.cur.cells, topic, partition, from, to, count == GapRecreated)
	}
}

// deleted handles {topic,key}.
func (r *receiver) deleted(b []byte) {
	r.counts[Deletes]++
	var topic, key []byte
	eachField(b, func(name, v []byte) bool {
		switch string(name) {
		case "topic":
			topic, _ = text(v)
		case "key":
			key, _ = text(v)
		}
		return true
	})
	r.accounts.forget(topic, key)
}

// farewell handles {reason}.
func (r *receiver) farewell(b []byte) {
	var reason []byte
	eachField(b, func(name, v []byte) bool {
		if string(name) == "reason" {
			reason, _ = text(v)
		}
		return true
	})
	count := goodbyeCount(reason)
	r.counts[count]++
	r.cur.goodbye = true
	r.cur.ended = count == GoodbyeEnd
}

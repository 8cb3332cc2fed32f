package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"livemap/feed"
	"livemap/orders"
)

// ErrHistory says that the past cannot be looked up at the moment.
var ErrHistory = errHistory

// Span is a time as positions in the log topics of a stream: where it begins,
// and where it ends if it is over. It never changes.
type Span struct {
	from  []idTopic
	until *id // nil: it goes on
}

// Locate finds a span of time in topics, for a client that shows lastID, or none.
// Since zero means the beginning of the logs; until zero, no end. Until must not
// lie ahead. State topics have no part in it: they hold values and not a history.
// The errors are those of Join, and ErrHistory.
func (h *Hub) Locate(ctx context.Context, topics []string, lastID string, since, until time.Time) (*Span, error) {
	had := &id{}
	if lastID != "" {
		last, err := parseID(lastID)
		if err == nil {
			had = last
		} else if until.IsZero() {
			return nil, nil // it begins fresh
		}
	}
	numbers, err := h.resolve(topics)
	if err != nil {
		return nil, err
	}
	var at orders.Time // of the beginning of the logs
	if !since.IsZero() {
		at = max(orders.TimeOf(since), 1)
	}
	s := &Span{}
	if !until.IsZero() {
		s.until = &id{}
	}
	for _, i := range numbers {
		if h.config.Topics[i].Kind != feed.Log {
			continue
		}
		if s.until == nil && had.topic(hashName(h.config.Topics[i].Name)) != nil {
			continue // it goes on where it was
		}
		from, err := h.locate(ctx, i, at)
		if err != nil {
			return nil, err
		}
		s.from = append(s.from, from)
		if s.until == nil {
			continue
		}
		to, err := h.locate(ctx, i, max(orders.TimeOf(until), 1))
		if err == nil && to.uuid != from.uuid {
			err = fmt.Errorf("%w: topic %s was recreated", errHistory, h.config.Topics[i].Name)
		}
		if err != nil {
			return nil, err
		}
		s.until.topics = append(s.until.topics, to)
	}
	return s, nil
}

// locate returns the position of a topic at a time.
func (h *Hub) locate(ctx context.Context, number int, at orders.Time) (idTopic, error) {
	if h.past == nil {
		return idTopic{}, fmt.Errorf("%w: there is none", errHistory)
	}
	uuid, next, err := h.past.find(ctx, number, at)
	if err != nil && !errors.Is(err, errHistory) {
		err = fmt.Errorf("%w: %w", errHistory, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[number]
	if err == nil && uuid != t.uuid {
		err = fmt.Errorf("%w: topic %s was recreated", errHistory, t.Name)
	}
	return idTopic{name: t.name, uuid: t.uuidHash, next: slices.Clone(next)}, err
}

// Over says whether the span has an end, and so the stream.
func (s *Span) Over() bool { return s != nil && s.until != nil }

// Reached says whether a client that shows lastID was sent all of a span that is
// over.
func (s *Span) Reached(lastID string) bool {
	last, err := parseID(lastID)
	if err != nil || !s.Over() {
		return false
	}
	for _, until := range s.until.topics {
		had := last.topic(until.name)
		if had == nil || had.uuid != until.uuid {
			return false
		}
		for k, to := range until.next {
			if had.at(k) < to {
				return false
			}
		}
	}
	return true
}

// Tag names what a stream of the span holds: spans with the same tag hold the
// same records.
func (s *Span) Tag() string {
	b := (&id{topics: s.from}).append(nil)
	if s.until != nil {
		b = append(append(b, '.'), s.until.append(nil)...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// within puts an origin into a span: topics of which it knows nothing begin
// where the span does.
func (o *origin) within(s *Span, v *view) {
	if s == nil || o.unusable && s.until == nil {
		return
	}
	if o.id == nil {
		o.id, o.unusable = &id{keys: v.hash}, false
	}
	for _, t := range s.from {
		if o.id.topic(t.name) == nil {
			o.id.topics = append(o.id.topics, t)
		}
	}
	o.text = string(o.id.append(nil))
	if s.until != nil {
		o.until, o.end = s.until, string(s.until.append(nil))
	}
}

package kafka

import (
	"crypto/tls"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Errors that callers branch on.
var (
	// ErrWrongPolicy: an existing topic has a cleanup.policy that does not fit
	// its kind. Livemap changes no topic that it did not make.
	ErrWrongPolicy = errors.New("topic has the wrong cleanup.policy")
	// ErrFenced: the transactional id now belongs to a newer producer, or the
	// broker has given up the transaction and its producer. This producer is
	// finished; a caller that may go on opens another.
	ErrFenced = errors.New("transactional producer is fenced")
	// ErrUnconfirmed: the answer to a commit was lost, so the transaction may
	// or may not have been committed. This producer is finished; opening
	// another settles the matter, then the caller reads back what was written.
	ErrUnconfirmed = errors.New("transaction's outcome is unknown")
	// ErrRecreated: a topic was deleted and made again, so that offsets held
	// by the caller mean nothing any more.
	ErrRecreated = errors.New("topic was recreated")
	// ErrTooLarge: a record, or the batch it travels in, is larger than its
	// topic (max.message.bytes) or the producer (MaxBatchBytes) allows. Writing
	// it again fails again.
	ErrTooLarge = errors.New("record is too large")
	// ErrNoTopic: a topic does not exist.
	ErrNoTopic = errors.New("topic does not exist")
)

// isRefused reports whether the broker has answered and will go on refusing:
// waiting does not help, the configuration must change.
func isRefused(err error) bool {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.Is(err, kerr.SaslAuthenticationFailed) ||
		errors.Is(err, kerr.UnsupportedSaslMechanism) ||
		errors.Is(err, kerr.ClusterAuthorizationFailed) ||
		errors.As(err, &cert) || errors.As(err, &record)
}

// inMotion reports whether err tells of a cluster that has not settled: nobody
// has answered, or a broker that restarts, is not the controller any more, or
// does not know yet what others do. The same request may succeed a moment later.
// nil is not. Whoever goes on asking is bounded by its context alone.
func inMotion(err error) bool {
	if err == nil || isRefused(err) {
		return false
	}
	var said *kerr.Error
	if !errors.As(err, &said) {
		return true
	}
	// The transaction of a producer that was fenced is still being aborted.
	return said.Retriable || said == kerr.ConcurrentTransactions
}

// isTooLarge reports whether err is a broker's or the client library's word on
// a record's size.
func isTooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

// isFenced reports whether err is a broker's final word to a transactional
// producer. INVALID_TXN_STATE and INVALID_PRODUCER_ID_MAPPING belong here too:
// they mean that the broker no longer knows of our transaction, because it
// timed out, a newer producer aborted it, or the broker lost it in a crash.
func isFenced(err error) bool {
	return errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.ProducerFenced) ||
		errors.Is(err, kerr.InvalidTxnState) ||
		errors.Is(err, kerr.InvalidProducerIDMapping)
}

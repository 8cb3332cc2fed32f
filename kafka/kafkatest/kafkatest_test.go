package kafkatest_test

import (
	"context"
	"testing"
	"time"

	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

func TestBrokerStartsStopsAndStartsAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	b := kafkatest.StartBroker(t)
	b.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := kafka.WaitReady(ctx, b.Config()); err == nil {
		t.Fatal("a stopped broker answers")
	}
	b.Restart()
	if err := kafka.WaitReady(t.Context(), b.Config()); err != nil {
		t.Fatal(err)
	}
}

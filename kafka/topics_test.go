package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/kafka"
)

func topicsHaveTheirKind(t *testing.T, c cluster) {
	cfg := config(t, c)
	specs := []kafka.TopicSpec{
		{Name: "kinds.log", Kind: feed.Log, Partitions: 3, Retention: 5 * time.Hour, RetentionBytes: 64 << 20, MaxMessageBytes: 2 << 20},
		{Name: "kinds.default", Kind: feed.Log},
		{Name: "kinds.state", Kind: feed.State},
	}
	for range 2 { // the second time they are there
		if err := kafka.EnsureTopics(patience(t), cfg, specs...); err != nil {
			t.Fatal(err)
		}
	}
	adm := admin(t, cfg)
	topics, err := adm.ListTopics(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"kinds.log": 3, "kinds.default": 1, "kinds.state": 1} {
		if got := len(topics[name].Partitions); got != want {
			t.Errorf("%s has %d partitions, want %d", name, got, want)
		}
	}
	for name, want := range map[string]map[string]string{
		"kinds.log":     {"cleanup.policy": "delete", "retention.ms": "18000000", "retention.bytes": "67108864", "max.message.bytes": "2097152", "segment.bytes": "8388608"},
		"kinds.default": {"cleanup.policy": "delete", "retention.ms": "172800000", "retention.bytes": "1073741824"},
		"kinds.state":   {"cleanup.policy": "compact", "retention.ms": "-1", "retention.bytes": "-1"},
	} {
		described, err := adm.DescribeTopicConfigs(patience(t), name)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, config := range described[0].Configs {
			got[config.Key] = config.MaybeValue()
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %q, want %q", name, key, got[key], value)
			}
		}
	}
}

func wrongPolicyIsRefused(t *testing.T, c cluster) {
	cfg := config(t, c)
	compact, both := "compact", "compact,delete"
	adm := admin(t, cfg)
	for name, policy := range map[string]*string{"policy.compact": &compact, "policy.none": nil, "policy.both": &both} {
		configs := map[string]*string{}
		if policy != nil {
			configs["cleanup.policy"] = policy
		}
		if _, err := adm.CreateTopic(patience(t), 1, 1, configs, name); err != nil {
			t.Fatal(err)
		}
	}
	err := kafka.EnsureTopics(patience(t), cfg,
		kafka.TopicSpec{Name: "policy.compact", Kind: feed.Log},
		kafka.TopicSpec{Name: "policy.none", Kind: feed.State},
		kafka.TopicSpec{Name: "policy.both", Kind: feed.State},
		kafka.TopicSpec{Name: "policy.fine", Kind: feed.State})
	if !errors.Is(err, kafka.ErrWrongPolicy) {
		t.Fatalf("error %v, want ErrWrongPolicy", err)
	}
	for _, want := range []string{
		"topic policy.compact: ", "has cleanup.policy=compact and as a log topic needs delete",
		"topic policy.none: ", "has cleanup.policy=delete and as a state topic needs compact",
		"topic policy.both: ", "has cleanup.policy=compact,delete", "kafka-configs --alter",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "policy.fine") {
		t.Errorf("error %q names a topic that is fine", err)
	}
}

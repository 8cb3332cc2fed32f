package hub

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"livemap/feed"
	"livemap/orders"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s:\n got %q\nwant %q", name, got, want)
	}
}

// TestGoldenEvents pins the bytes of each event that a client can meet.
func TestGoldenEvents(t *testing.T) {
	at := orders.Time(1_795_737_600_123)
	state := Topic{Name: "metrics", Kind: feed.State, Format: FormatJSON}
	log := Topic{Name: "shipments", Kind: feed.Log, Format: FormatJSON}
	text := Topic{Name: "notes", Kind: feed.Log, Format: FormatText}
	binary := Topic{Name: "pictures", Kind: feed.Log, Format: FormatBase64}
	rec := func(value string) *record {
		return &record{partition: 1, offset: 41, at: at, key: "country/CA", hasKey: true, value: []byte(value)}
	}
	deleted := &record{partition: 1, offset: 41, at: at, key: "a\r\nid: 1\n\n", hasKey: true, tombstone: true}
	keyless := &record{at: at, value: []byte("[]")}
	where := &id{topics: []idTopic{{name: hashName("metrics"), uuid: hashUUID([16]byte{1}), next: []int64{12, 42}}}}
	withID := func(b []byte) []byte {
		return append(where.append(append(b, idLine...)), frameEnd...)
	}
	for name, got := range map[string][]byte{
		"hello.txt":                  appendHello(nil, "livemap", 15*time.Second, 2345*time.Millisecond, at, []Topic{state, log}),
		"goodbye.txt":                AppendGoodbye(nil, CloseDrain, 120*time.Millisecond),
		"heartbeat.txt":              withID(appendHeartbeat(nil, at)),
		"gap.txt":                    withID(appendGap(nil, "shipments", gap{partition: 0, reason: GapSlow, from: 17, to: 42})),
		"gap_topic.txt":              withID(appendGap(nil, "shipments", gap{partition: -1, reason: GapUnknownID, from: Absent, to: Absent})),
		"delete.txt":                 withID(appendRecord(nil, &state, deleted, plain)),
		"delete_envelope.txt":        withID(appendRecord(nil, &state, deleted, envelope)),
		"record.txt":                 withID(appendRecord(nil, &state, rec(`{"v":1}`), plain)),
		"record_lines.txt":           withID(appendRecord(nil, &state, rec("{\n\t\"v\": 1,\r\n\"w\": 2\r}"), plain)),
		"record_tombstone_log.txt":   withID(appendRecord(nil, &log, deleted, plain)),
		"record_text.txt":            withID(appendRecord(nil, &text, rec("a\rid: 9\n\nb"), plain)),
		"record_base64.txt":          withID(appendRecord(nil, &binary, rec("\x00\xff\r\n"), plain)),
		"envelope.txt":               withID(appendRecord(nil, &state, rec(`{"v":1}`), envelope)),
		"envelope_not_json.txt":      withID(appendRecord(nil, &state, rec(`1,"offset":9`), envelope)),
		"envelope_lines.txt":         withID(appendRecord(nil, &state, rec("{\n\"v\":1}"), envelope)),
		"envelope_keyless.txt":       withID(appendRecord(nil, &log, keyless, envelope)),
		"envelope_text.txt":          withID(appendRecord(nil, &text, rec("a\r\n\x00b"), envelope)),
		"envelope_base64.txt":        withID(appendRecord(nil, &binary, rec("\x00\xff"), envelope)),
		"envelope_log_tombstone.txt": withID(appendRecord(nil, &log, deleted, envelope)),
	} {
		golden(t, name, got)
	}
}

// TestGoldenID pins the text of an id: other versions of the program, and other
// pods, must read it.
func TestGoldenID(t *testing.T) {
	v := &id{keys: hashKeys([]string{"country/CA", "world"}), topics: []idTopic{
		{name: hashName("metrics"), uuid: hashUUID([16]byte{0: 1, 15: 255}), next: []int64{0, Absent, 1 << 33}},
		{name: hashName("shipments"), uuid: hashUUID([16]byte{2}), next: nil},
	}}
	golden(t, "id.txt", append(v.append(nil), '\n'))
}

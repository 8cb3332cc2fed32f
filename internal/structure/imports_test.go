package structure

import (
	"slices"
	"strings"
	"testing"
)

// rule is what a room of the module may import of the other rooms. The order is
// one way, lowest first: a room imports from above in the table only.
type rule struct {
	room string
	may  []string // rooms, exactly
	test []string // rooms that its tests may import besides
	why  string
}

// contracts are what all rooms from the hub upwards may speak of: the order and
// the output records.
var contracts = []string{"orders", "feed"}

var rules = []rule{
	{room: "sse", why: "a wire format that knows neither orders nor Kafka can be read against its specification"},
	{room: "orders", why: "the order is the first word of the system: all others may speak of it, it speaks of none"},
	{room: "orders/internal/columns", may: []string{"orders"}, why: "reading columns of Parquet files knows times, not what the columns mean"},
	{room: "orders/gazetteer", may: []string{"orders"}, why: "a list of places, as orders name them"},
	{room: "orders/classification", may: []string{"orders", "orders/internal/columns"}, why: "a Parquet file of products, as orders name them"},
	{room: "orders/synthetic", may: []string{"orders", "orders/gazetteer"}, why: "a source makes orders; where they go is not its business"},
	{room: "orders/journey", may: []string{"orders", "orders/gazetteer", "orders/internal/columns"}, why: "a source makes orders; where they go is not its business"},
	{room: "orders/pacer", may: []string{"orders"}, test: []string{"orders/synthetic"}, why: "pacing knows sources, not where orders go"},
	{room: "internal/child", why: "starting and ending processes knows nothing of what they do"},
	{room: "internal/testkit", may: []string{"internal/child"}, why: "what tests of any room need knows no room"},
	{room: "auth", why: "what a token permits must be readable without knowing who asks"},
	{room: "web", why: "the built page is bytes"},
	{room: "feed", may: []string{"orders"}, why: "the contract of the output topics shares the order's time, and nothing else"},

	{room: "aggregate", may: contracts, why: "figures are computed without socket, clock, broker or file: I/O is aggregate/runner's"},
	{room: "hub", may: slices.Concat(contracts, []string{"sse", "hub/internal/poll"}), test: []string{"internal/testkit"}, why: "the hub serves any topics: it must not know where records come from or who may see them"},
	{room: "hub/internal/poll", why: "a port to the system's readiness interface knows descriptors only"},
	{room: "kafka", may: contracts, test: []string{"kafka/embedded", "kafka/kafkatest", "internal/testkit"}, why: "an adapter knows its library and the contracts; its suite runs against both logs"},
	{room: "kafka/embedded", may: contracts, test: []string{"kafka", "internal/testkit"}, why: "a log is used through its protocol, not through our client"},
	{room: "kafka/kafkatest", may: []string{"orders", "internal/child", "kafka"}, test: []string{"feed"}, why: "it hands tests the Config of a running broker"},
	{room: "loadtest", may: []string{"sse"}, why: "never the hub: a load test that shares code with its subject shares its mistakes"},

	{room: "internal/certtest", why: "certificates for tests know nothing of who shows them"},
	{room: "conformance", may: []string{"sse"}, test: []string{"server", "auth", "feed", "kafka", "kafka/embedded", "internal/certtest"}, why: "it judges servers from outside; a suite that knows ours would find ours right"},
	{room: "conformance/run", may: []string{"conformance"}, why: "flags around the suite"},
	{room: "server/proxyproto", why: "a header in front of HTTP knows nothing of what follows"},
	{room: "server", may: slices.Concat(contracts, []string{"sse", "auth", "web", "hub", "kafka", "server/proxyproto"}), test: append([]string{"internal/certtest", "internal/testkit"}, logs...), why: "the HTTP edge brings Kafka and the hub together; it does not aggregate"},
	{room: "aggregate/runner", may: slices.Concat(contracts, []string{"aggregate", "kafka", "orders/classification"}), test: append([]string{"orders/synthetic", "internal/child"}, logs...), why: "the I/O around the pure aggregate; it does not serve"},

	{room: "cmd/livemap", may: slices.Concat(contracts, []string{
		"orders/gazetteer", "orders/classification", "orders/synthetic", "orders/journey", "orders/pacer", "sse", "auth", "web",
		"aggregate", "hub", "kafka", "kafka/embedded", "loadtest", "server", "aggregate/runner",
	}), test: append([]string{"internal/child", "internal/testkit"}, logs...), why: "flags and wiring: the only room that knows all"},

	{room: "deploy/nginx", test: []string{"internal/certtest", "internal/testkit", "feed", "auth", "kafka", "kafka/embedded", "server"}, why: "a configuration of another program; its tests put real pods behind it"},
	{room: "e2e", test: slices.Concat(contracts, []string{"orders/journey", "orders/synthetic", "orders/classification", "kafka", "internal/certtest", "internal/testkit"}, logs), why: "whole processes judged from outside: of the figures it knows only the records"},
	{room: "e2e/stage", may: []string{"internal/child", "internal/certtest", "deploy/nginx"}, why: "processes and their addresses; what they do is for others to judge"},
	{room: "e2e/numbered", may: []string{"feed", "kafka", "sse", "kafka/kafkatest"}, why: "never the hub: a judge that shares code with the accused shares its mistakes"},
	{room: "e2e/faults", may: []string{"feed", "kafka", "kafka/kafkatest", "e2e/stage", "e2e/numbered"}, test: []string{"internal/testkit"}, why: "whole processes judged from outside"},
	{room: "e2e/latency", may: []string{"feed", "kafka", "kafka/kafkatest", "e2e/stage"}, why: "whole processes measured from outside"},
	{room: "e2e/clients", test: []string{"internal/child", "kafka", "e2e/stage", "e2e/numbered"}, why: "clients that others wrote, judged from outside"},
	{room: "e2e/broken", test: []string{"feed", "kafka", "kafka/kafkatest", "e2e/stage", "e2e/numbered"}, why: "a cluster and a pod, judged from outside"},
	{room: "flink/demo", may: []string{"internal/child", "kafka", "kafka/kafkatest"}, why: "it starts processes; what they do is theirs"},
	{room: "e2e/backlog", may: slices.Concat(contracts, []string{"orders/classification", "internal/child", "kafka", "kafka/kafkatest"}), why: "a whole process measured from outside: it makes the orders, starts the program and reads what came out"},
	{room: "internal/structure", why: "it reads the repository, not the program"},
	{room: "ci/gotest", why: "it reads what go test prints"},
}

// logs are the two logs that tests run against.
var logs = []string{"kafka/embedded", "kafka/kafkatest"}

// ban keeps an import out of every room but those named. A path that ends in
// "/..." covers what is below it too.
type ban struct {
	path   string
	except []string
	inTest bool // tests are held to it as well
	why    string
}

var bans = []ban{
	{path: "github.com/twmb/franz-go/...", except: []string{"kafka/..."}, inTest: true, why: "one room knows the Kafka client, so that it can be replaced there"},
	{path: "testing/...", except: []string{"kafka/kafkatest", "internal/testkit"}, why: "the program carries no test code"},
	{path: "livemap/hub/...", except: []string{"hub/...", "server", "cmd/livemap"}, inTest: true, why: "loadtest and the others meet the hub over its socket"},
	{path: "github.com/alecthomas/...", except: []string{"cmd/livemap"}, inTest: true, why: "only cmd reads flags, environment and configuration files"},
	{path: "flag", except: []string{"cmd/livemap", "e2e/backlog", "e2e/faults", "e2e/latency", "conformance/run"}, why: "only commands read flags, environment and configuration files"},
	{path: "unsafe", except: []string{"hub/internal/poll"}, why: "nothing here is worth it but a port to system calls"},
	{path: "log", why: "a *slog.Logger is passed in"},
}

func TestImportsPointOneWay(t *testing.T) {
	byRoom := map[string]rule{}
	for i, r := range rules {
		byRoom[r.room] = r
		for _, may := range r.may {
			if !slices.ContainsFunc(rules, func(o rule) bool { return o.room == may }) {
				t.Errorf("the rule of %s names %s, which has no rule", r.room, may)
			}
			if below := slices.IndexFunc(rules, func(o rule) bool { return o.room == may }); below > i && !strings.HasPrefix(may, r.room+"/internal/") {
				t.Errorf("the rule of %s lets it import %s, which stands after it: the order is not one way", r.room, may)
			}
		}
	}
	for _, p := range packages(t) {
		r, ok := byRoom[p.room()]
		if !ok {
			t.Errorf("%s has no rule: add one to imports_test.go, with the reason", p.room())
			continue
		}
		checkRoom(t, r, p.Imports, r.may)
		checkRoom(t, r, slices.Concat(p.TestImports, p.XTestImports), slices.Concat(r.may, r.test, []string{r.room}))
	}
}

func checkRoom(t *testing.T, r rule, imports, may []string) {
	t.Helper()
	for _, path := range imports {
		if ours(path) && !slices.Contains(may, room(path)) {
			t.Errorf("%s imports %s: %s", r.room, room(path), r.why)
		}
	}
}

func TestBannedImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, b := range bans {
			imports := p.Imports
			if b.inTest {
				imports = slices.Concat(imports, p.TestImports, p.XTestImports)
			}
			if slices.ContainsFunc(b.except, func(e string) bool { return covers(e, p.room()) }) {
				continue
			}
			for _, path := range imports {
				if covers(b.path, path) {
					t.Errorf("%s imports %s: %s", p.room(), path, b.why)
				}
			}
		}
	}
}

// covers says whether path is pattern, or below it where it ends in "/...".
func covers(pattern, path string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == below || strings.HasPrefix(path, below+"/")
	}
	return path == pattern
}

// Package server is the hub's HTTP side: the public listener with the streams,
// the API and the page, the admin listener, and the ingest that reads Kafka
// into the hub. Start at [Config], [New] and [Server.Run].
//
// Package hub knows what a client is owed; this package knows HTTP. What a user
// of the API reads is decided here, details stay in the log.
package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"livemap/auth"
	"livemap/feed"
	"livemap/hub"
	"livemap/kafka"
)

// Defaults of a Config.
const (
	DefaultListen      = ":8080"
	DefaultAdminListen = "127.0.0.1:9090"
	DefaultDrain       = 20 * time.Second
	DefaultRecent      = 50
)

// Config is the blueprint of a Server. Zero values mean the defaults.
type Config struct {
	Listen      string // public address
	AdminListen string // "off": none
	Kafka       kafka.Config
	// Topics by name; nil: DefaultTopics. ParseTopics reads them from YAML.
	Topics map[string]TopicConfig
	// Hub holds limits and times of the streams. Its Topics and Logger are set
	// by New.
	Hub hub.Config
	// Drain is how long the streams are spread over when the server ends.
	// Negative: they all end at once.
	Drain time.Duration
	// TrustedProxies are answered 503 when the pod is full, so that they try the
	// next; all others get 200 and a goodbye, for a browser never comes back after
	// an error. What they say in X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Balancers speak TCP only: their connections begin with the PROXY protocol,
	// which says who the client is. See package proxyproto.
	Balancers []netip.Prefix
	// Door decides who may see what; it must be given. Its Options.Origins are
	// also those whose pages may read the answers (CORS). Run keeps its Verifier
	// fresh.
	Door *auth.Door
	// Limits bound what one client, or all together, may take.
	Limits Limits
	// Session gives the bundled page tokens; nil: nobody gives it any.
	Session *Session
	// TLS is how the public address speaks TLS itself; zero: it does not.
	TLS TLS
	// FrameAncestors are the sites that may show /embed inside their pages, as in
	// a Content-Security-Policy; nil: every site.
	FrameAncestors []string
	// Branding is what the page is called and how it looks; zero: as it was built.
	Branding Branding
	// Page holds the files of the page; nil: those of package web.
	Page fs.FS
	// PagePolicy is the page's Content-Security-Policy; empty: that of package
	// web.
	PagePolicy string
	// Listening is called once the public address answers, with the addresses
	// that were bound; nil: nobody is told.
	Listening func(public, admin net.Addr)
	Logger    *slog.Logger // nil: none
}

// TopicConfig is one topic of livemap.yaml.
type TopicConfig struct {
	Kind   feed.Kind     `yaml:"kind"`
	Kafka  string        `yaml:"kafka"`   // topic in Kafka; empty: the same name
	Recent int           `yaml:"recent"`  // log topics: records that a new client is sent
	MaxAge time.Duration `yaml:"max_age"` // log topics: how far back a client can resume; 0: 10m
	Lapped hub.Lapped    `yaml:"lapped"`  // log topics: gap or catch_up; empty: gap
	Format hub.Format    `yaml:"format"`  // json, text or base64; empty: json
}

// topicSettings are the keys of a topic in livemap.yaml.
var topicSettings = []string{"kind", "kafka", "recent", "max_age", "lapped", "format"}

// UnmarshalYAML implements yaml.Unmarshaler: recent is 50 where it is left out,
// and a key that is not a setting is an error.
func (t *TopicConfig) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(topicSettings, key.Value) {
			return fmt.Errorf("%q is not a setting of a topic; there are %s", key.Value, strings.Join(topicSettings, ", "))
		}
	}
	type bare TopicConfig
	b := bare{Recent: DefaultRecent}
	if err := n.Decode(&b); err != nil {
		return err
	}
	*t = TopicConfig(b)
	return nil
}

// DefaultTopics are the map's own.
func DefaultTopics() map[string]TopicConfig {
	return map[string]TopicConfig{
		feed.TopicMetrics:   {Kind: feed.State},
		feed.TopicHistory:   {Kind: feed.State},
		feed.TopicTrending:  {Kind: feed.State},
		feed.TopicWindows:   {Kind: feed.Log},
		feed.TopicShipments: {Kind: feed.Log, Recent: DefaultRecent},
	}
}

// ParseTopics reads the key topics of livemap.yaml; other keys are none of its
// business. It returns nil when the key is not there.
func ParseTopics(text []byte) (map[string]TopicConfig, error) {
	var file map[string]yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	node, ok := file["topics"]
	if !ok {
		return nil, nil
	}
	var parsed map[string]TopicConfig
	if err := node.Decode(&parsed); err != nil {
		return nil, fmt.Errorf("configuration: topics: %w", err)
	}
	return parsed, nil
}

// withDefaults returns c with its zero values filled in.
func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.AdminListen == "" {
		c.AdminListen = DefaultAdminListen
	}
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	if c.Topics == nil {
		c.Topics = DefaultTopics()
	}
	if c.FrameAncestors == nil {
		c.FrameAncestors = []string{"*"}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Kafka.Logger == nil {
		c.Kafka.Logger = c.Logger
	}
	c.Topics = maps.Clone(c.Topics)
	for name, t := range c.Topics {
		if t.Kafka == "" {
			t.Kafka = name
		}
		c.Topics[name] = t
	}
	return c
}

// hubConfig returns the blueprint of the hub, topics by name.
func (c Config) hubConfig() hub.Config {
	h := c.Hub
	h.Logger = c.Logger
	h.Topics = nil
	for _, name := range slices.Sorted(maps.Keys(c.Topics)) {
		t := c.Topics[name]
		h.Topics = append(h.Topics, hub.Topic{
			Name: name, Kind: t.Kind, Recent: t.Recent, MaxAge: t.MaxAge, Lapped: t.Lapped, Format: t.Format,
		})
	}
	return h
}

// Validate reports all that is wrong with c, each with its setting, its value
// and what is allowed.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	check := func(setting, address string) {
		if _, _, err := net.SplitHostPort(address); err != nil {
			errs = append(errs, fmt.Errorf("%s %q: must be HOST:PORT or :PORT", setting, address))
		}
	}
	check("listen", c.Listen)
	if c.AdminListen != "off" {
		check("admin-listen", c.AdminListen)
	}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Topics)) {
		k := c.Topics[name].Kafka
		if other, ok := seen[k]; ok {
			errs = append(errs, fmt.Errorf("topic %q: kafka %q: topic %q reads it already", name, k, other))
		}
		seen[k] = name
	}
	if c.Door == nil {
		errs = append(errs, errors.New("door: nothing says who may see what"))
	} else {
		errs = append(errs, c.Door.Options.Validate())
	}
	for _, a := range c.FrameAncestors {
		if err := checkAncestor(a); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, c.Limits.validate(), c.Session.validate(), c.TLS.validate(), c.Kafka.Validate(), c.hubConfig().Validate())...)
}

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"livemap/hub"
	"livemap/server"
)

// serveCmd serves the page, the API and the streams.
type serveCmd struct {
	kafkaFlags
	Listen      string `help:"Public address." default:":8080"`
	AdminListen string `help:"Address of health, metrics and profiles; \"off\" for none." default:"127.0.0.1:9090"`
	doorFlags
	sessionFlags
	limitFlags
	TLSCert string `name:"tls-cert" help:"PEM file with the certificate (and those it depends on) to speak TLS with; read again when it changes. Default: plain HTTP." placeholder:"FILE"`
	TLSKey  string `name:"tls-key" help:"PEM file with the certificate's key." placeholder:"FILE"`
	streamFlags
}

// streamFlags are the limits and times of the streams.
type streamFlags struct {
	Shards         int            `help:"Loops that drive the streams; 0 for one per core, negative for a goroutine per stream." default:"0"`
	IOURing        bool           `name:"io-uring" help:"Send to many streams with one call where the kernel lets it." default:"true" negatable:""`
	MaxClients     int            `help:"Streams at once; beyond, a client is told to come back later." default:"20000"`
	Heartbeat      time.Duration  `help:"Time between two heartbeat events." default:"15s"`
	StallTimeout   time.Duration  `help:"A client that accepts nothing for so long is closed." default:"60s"`
	MaxStreamAge   time.Duration  `help:"Age at which a stream is asked to reconnect, give or take a fifth, so that new pods fill; 0 for never." default:"10m"`
	Drain          time.Duration  `help:"Time over which the streams are ended when the process is." default:"20s"`
	TrustedProxies []netip.Prefix `help:"Networks of proxies that are answered 503 when the pod is full, so that they try the next, and whose X-Forwarded-For is believed." placeholder:"CIDR"`
	ProxyProtocol  []netip.Prefix `help:"Networks of balancers that speak TCP only: their connections must begin with the PROXY protocol (version 1 or 2), which says who the client is." placeholder:"CIDR"`
}

// collectPodAt is how much a pod's memory may grow, in per cent, before the
// collector runs. Its clients are slots without pointers and its rings a few
// large pieces, so that looking through them is cheap, while what may lie about
// as garbage counts for each client.
const collectPodAt = 50

func (c *serveCmd) Run(e env) error {
	cfg := c.streamFlags.config()
	cfg.Listen, cfg.AdminListen = c.Listen, c.AdminListen
	cfg.Kafka, cfg.Logger = c.kafkaFlags.config(e), e.log
	cfg.TLS = server.TLS{CertFile: c.TLSCert, KeyFile: c.TLSKey}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	cfg.Listening = func(public, _ net.Addr) { fmt.Fprintf(e.stdout, "serving %s://%s\n", scheme, public) }
	cfg.Limits, cfg.FrameAncestors = c.limitFlags.config(), c.FrameAncestors
	var topicsErr, pageErr, doorErr, sessionErr error
	cfg.Topics, topicsErr = configuredTopics(e.config)
	cfg.Branding, pageErr = configuredPage(e.config)
	cfg.Door, doorErr = c.doorFlags.door(e.log)
	cfg.Session, sessionErr = c.sessionFlags.session(c.verifyFlags)
	if err := errors.Join(doorErr, sessionErr, topicsErr, pageErr, c.streamFlags.check(), cfg.Validate()); err != nil {
		return usage(err)
	}
	s, err := server.New(cfg)
	if err != nil {
		return usage(err)
	}
	collect(collectPodAt)
	return serverError(s.Run(e.ctx))
}

// config returns the settings that all servers share.
func (f streamFlags) config() server.Config {
	return server.Config{
		Hub: hub.Config{
			Shards:       f.Shards,
			OneByOne:     !f.IOURing,
			MaxClients:   f.MaxClients,
			Heartbeat:    f.Heartbeat,
			StallTimeout: f.StallTimeout,
			MaxStreamAge: explicit(f.MaxStreamAge),
		},
		Drain:          explicit(f.Drain),
		TrustedProxies: f.TrustedProxies,
		Balancers:      f.ProxyProtocol,
	}
}

// check reports what config would pass on as something else.
func (f streamFlags) check() error {
	return errors.Join(
		atLeastOne("max-clients", f.MaxClients),
		notZero("heartbeat", f.Heartbeat),
		notZero("stall-timeout", f.StallTimeout),
		notNegative("max-stream-age", f.MaxStreamAge),
		notNegative("drain", f.Drain),
	)
}

// configuredTopics reads the topics of the configuration file; nil means the
// map's own.
func configuredTopics(path string) (map[string]server.TopicConfig, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return server.ParseTopics(text)
}

// configuredPage reads what the configuration file sets about the page.
func configuredPage(path string) (server.Branding, error) {
	if path == "" {
		return server.Branding{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return server.Branding{}, err
	}
	return server.ParsePage(text, filepath.Dir(path))
}

// serverError marks errors that a change of the configuration would mend.
func serverError(err error) error {
	if errors.Is(err, server.ErrListen) {
		return usage(err)
	}
	return kafkaError(err)
}

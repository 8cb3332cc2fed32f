package main

import (
	"errors"
	"log/slog"
	"os"
	"time"

	"livemap/auth"
	"livemap/server"
)

// doorFlags say who may see what at the public address.
type doorFlags struct {
	verifyFlags
	Anonymous       bool     `help:"Let everybody see everything, without a token; instead of a key."`
	AnonymousTopics []string `help:"Topics that may be seen without a token; * at the end stands for any rest. With --anonymous all that may be seen, with a key besides what tokens permit. Default: with --anonymous all, with a key none." placeholder:"PATTERN"`
	Cookie          string   `help:"Name of the cookie that a token may be in." default:"__Host-livemap"`
	Origins         []string `help:"Origins whose pages may read the streams from a browser (CORS) and may use the cookie, besides the server's own; scheme and host, exactly." placeholder:"ORIGIN"`
	QueryToken      bool     `help:"Take tokens from the query too (access_token). They end up in histories and in logs other than ours: let them live for minutes."`
	FrameAncestors  []string `help:"Sites that may show /embed inside their pages: origins, 'self', 'none' or *." default:"*" placeholder:"ORIGIN"`
}

var (
	// errOpen is what stands between a first try and a server that everybody can
	// read by accident.
	errOpen = errors.New("serve: nothing says who may see the streams; give one of --hs256-key-file, --public-key-file or --jwks-url " +
		"(livemap token keygen makes a key), or --anonymous to let everybody see everything")
	errBoth = errors.New("serve: --anonymous beside a key: nobody would need a token; take one of the two away, or name with --anonymous-topics what may be seen without a token")
)

// door returns what the flags and the environment say, keys and revocations
// read. It is never nil, so that what else is wrong can be told at once.
func (f doorFlags) door(log *slog.Logger) (*auth.Door, error) {
	d := &auth.Door{Options: auth.Options{Cookie: f.Cookie, Origins: f.Origins, Query: f.QueryToken}}
	keys := f.verifyFlags.config(log)
	if keys.Enabled() == f.Anonymous {
		if f.Anonymous {
			return d, errBoth
		}
		return d, errOpen
	}
	open := f.AnonymousTopics
	if f.Anonymous && len(open) == 0 {
		open = []string{"*"}
	}
	var anonymousErr, keysErr error
	flagsErr := f.verifyFlags.check()
	if len(open) > 0 {
		d.Anonymous, anonymousErr = auth.Anonymous(open...)
	}
	if keys.Enabled() {
		d.Verifier, keysErr = auth.New(keys)
	}
	return d, errors.Join(flagsErr, anonymousErr, keysErr)
}

// sessionFlags say what the bundled page may see that nobody gave a token to.
type sessionFlags struct {
	SessionTopics  []string      `help:"Give the bundled page, whoever looks at it, a token for these topics (POST /v1/session); needs --hs256-key-file and --session-origins. Default: it gets none." placeholder:"PATTERN"`
	SessionKeys    []string      `help:"Keys that such a token permits; left out: all." placeholder:"PATTERN"`
	SessionOrigins []string      `help:"Origins at which the page is reached, exactly as browsers write them: https://map.example." placeholder:"ORIGIN"`
	SessionTTL     time.Duration `name:"session-ttl" help:"How long such a token is valid; the page gets another." default:"15m"`
}

var errSessionKey = errors.New("session-topics: sessions are signed with a secret: give --hs256-key-file; with other keys your own server gives the page its cookie")

// session returns the policy of the page, or nil. The secret is read each time,
// as the door reads it again when it changes.
func (f sessionFlags) session(v verifyFlags) (*server.Session, error) {
	if len(f.SessionTopics) == 0 {
		if len(f.SessionOrigins)+len(f.SessionKeys) > 0 {
			return nil, errors.New("session-topics: none given, and without them --session-keys and --session-origins mean nothing")
		}
		return nil, nil
	}
	if v.HS256KeyFile == "" && os.Getenv(envSecret) == "" {
		return nil, errSessionKey
	}
	return &server.Session{
		Origins: f.SessionOrigins, Topics: f.SessionTopics, Keys: f.SessionKeys, TTL: f.SessionTTL,
		Issuer: v.Issuer, Audience: v.Audience,
		Signer: func() (*auth.Signer, error) {
			if v.HS256KeyFile == "" {
				return auth.NewSecretSigner([]byte(os.Getenv(envSecret)))
			}
			return readSigner("--hs256-key-file", v.HS256KeyFile, auth.NewSecretSigner)
		},
	}, nil
}

// limitFlags bound what one client, or all together, may take.
type limitFlags struct {
	MaxPerAddress    int `help:"Streams of one address (of one /64 with IPv6), and connections without a stream; 0 for no limit. Behind proxies set --trusted-proxies too, or all count as one." default:"0"`
	MaxPerSubject    int `help:"Streams of one subject of tokens; 0 for no limit." default:"0"`
	MaxNewPerSecond  int `help:"Requests for streams a second, from all; as many may come at once; 0 for no limit." default:"0"`
	MaxNewPerAddress int `help:"Requests for streams a second from one address; as many may come at once; 0 for no limit." default:"0"`
	MaxConnections   int `help:"Connections open at the public address; beyond, a new one is closed. 0: as many as the system's limit of descriptors leaves when 256 are kept back." default:"0"`
}

func (f limitFlags) config() server.Limits {
	return server.Limits{
		PerAddress: f.MaxPerAddress, PerSubject: f.MaxPerSubject,
		NewPerSecond: f.MaxNewPerSecond, NewPerAddress: f.MaxNewPerAddress,
		Connections: f.MaxConnections,
	}
}

// Command gosse follows a stream with the client of tmaxmax/go-sse and prints a
// line for each event: its name, a tab, its data. It is a module of its own, so
// that the library is no dependency of livemap.
//
//	gosse URL CA.pem
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/tmaxmax/go-sse"
)

func main() {
	if err := follow(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gosse:", err)
		os.Exit(1)
	}
}

func follow(url, authority string) error {
	pem, err := os.ReadFile(authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	client := sse.Client{
		HTTPClient: &http.Client{Transport: transport},
		Backoff:    sse.Backoff{InitialInterval: 100 * time.Millisecond, MaxInterval: 2 * time.Second},
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	connection := client.NewConnection(request)
	connection.SubscribeToAll(func(event sse.Event) { fmt.Printf("%s\t%s\n", event.Type, event.Data) })
	return connection.Connect()
}

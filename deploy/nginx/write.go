package nginx

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

//go:embed nginx.conf livemap.conf pods.conf
var files embed.FS

// Site is what a copy of the configuration is made for.
type Site struct {
	HTTP, HTTPS       string   // HOST:PORT to listen at
	Pods              []string // HOST:PORT of each pod
	CertFile, KeyFile string   // PEM
	Origins           []string // other origins whose pages read the streams
	// FailTimeout is for how long a pod that failed is left alone, in whole seconds;
	// 0: as shipped.
	FailTimeout time.Duration
	// Change is made in the files besides: what to replace, by what. Each must
	// be there.
	Change map[string]string
}

// Write puts a copy of the shipped configuration into dir, which must exist and
// be absolute: its nginx.conf starts with nginx -e DIR/error.log -c DIR/nginx.conf
// and keeps its logs and its pid there. The error says which line of the shipped
// files is no longer what Write expects.
func Write(dir string, s Site) error {
	changes := map[string][]string{ // what to replace, by what
		"nginx.conf": {
			"pid /run/nginx.pid;", "pid " + dir + "/nginx.pid;",
			"/var/log/nginx/", dir + "/",
		},
		"livemap.conf": {
			"/var/log/nginx/", dir + "/",
			"    listen 80;\n    listen [::]:80;\n", "    listen " + s.HTTP + ";\n",
			"    listen 443 ssl http2;\n    listen [::]:443 ssl http2;\n", "    listen " + s.HTTPS + " ssl http2;\n",
			"cert.pem;", s.CertFile + ";",
			"key.pem;", s.KeyFile + ";",
		},
	}
	for _, origin := range s.Origins {
		changes["livemap.conf"] = append(changes["livemap.conf"], `    default "";`, "    default \"\";\n    \""+origin+`" $http_origin;`)
	}
	for old, by := range s.Change {
		name := "livemap.conf"
		if b, err := files.ReadFile("nginx.conf"); err == nil && strings.Contains(string(b), old) {
			name = "nginx.conf"
		}
		changes[name] = append(changes[name], old, by)
	}
	for name, pairs := range changes {
		b, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		text := string(b)
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				return fmt.Errorf("%s: no %q in it", name, pairs[i])
			}
			text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	settings := shippedSettings
	if s.FailTimeout > 0 {
		settings = fmt.Sprintf("max_fails=1 fail_timeout=%ds", int(s.FailTimeout.Seconds()))
	}
	return writePods(dir, s.Pods, settings)
}

// shippedSettings follow each address in the shipped pods.conf.
var shippedSettings = func() string {
	b, err := files.ReadFile("pods.conf")
	if err != nil {
		panic("nginx: " + err.Error()) // it is embedded
	}
	return settingsOf(string(b))
}()

// settingsOf returns what follows the address of the first pod.
func settingsOf(text string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "server "); ok {
			_, settings, _ := strings.Cut(strings.TrimSpace(rest), " ")
			return strings.TrimSuffix(settings, ";")
		}
	}
	return ""
}

// WritePods changes the pods of a copy; nginx takes them over when it is sent
// SIGHUP. The settings of its first line stay.
func WritePods(dir string, pods []string) error {
	b, err := os.ReadFile(filepath.Join(dir, "pods.conf"))
	if err != nil {
		return err
	}
	return writePods(dir, pods, settingsOf(string(b)))
}

func writePods(dir string, pods []string, settings string) error {
	var text strings.Builder
	for _, pod := range pods {
		fmt.Fprintf(&text, "server %s %s;\n", pod, settings)
	}
	return os.WriteFile(filepath.Join(dir, "pods.conf"), []byte(text.String()), 0o600)
}

package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits of a Branding.
const (
	maxBrandName = 60        // characters of the name: what fits above the figures
	maxLogoBytes = 256 << 10 // beyond, the file is refused
)

// Branding is what a shop sets about the page, in the section page of
// livemap.yaml. The page fetches it as /page.json; the zero value leaves the
// page as it was built. See docs/page.md.
type Branding struct {
	Name            string            `yaml:"name" json:"name,omitempty"`
	Logo            string            `yaml:"logo" json:"logo,omitempty"` // file; in /page.json the address that it is served at
	Theme           string            `yaml:"theme" json:"theme,omitempty"`
	Colours         map[string]string `yaml:"colours" json:"colours,omitempty"`
	Figures         []string          `yaml:"figures" json:"figures,omitempty"`
	Language        string            `yaml:"language" json:"language,omitempty"`
	Units           string            `yaml:"units" json:"units,omitempty"`
	CurrencyDisplay string            `yaml:"currency_display" json:"currency_display,omitempty"`

	logo []byte // read by ParsePage
}

// What the settings of a Branding may be, in the order in which errors list them.
var (
	brandSettings   = []string{"name", "logo", "theme", "colours", "figures", "language", "units", "currency_display"}
	brandThemes     = []string{"dark", "light", "auto"}
	brandColours    = []string{"accent", "near", "middle", "far", "land", "background"}
	brandFigures    = []string{"sales", "orders", "shoppers", "distance_m", "carbon_g"}
	brandUnits      = []string{"metric", "imperial", "auto"}
	brandCurrencies = []string{"symbol", "narrowSymbol", "code", "name"}
	brandLogos      = []string{".svg", ".png", ".webp", ".jpg", ".jpeg"}

	hexColour   = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)
	languageTag = regexp.MustCompile(`^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$`)
)

// ParsePage reads the key page of livemap.yaml; other keys are none of its
// business. A logo's path is relative to dir, and the file is read here. It
// reports all that is wrong together, each with its setting, and returns the
// zero value when the key is not there.
func ParsePage(text []byte, dir string) (Branding, error) {
	var file struct {
		Page yaml.Node `yaml:"page"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return Branding{}, fmt.Errorf("configuration: %w", err)
	}
	if file.Page.IsZero() {
		return Branding{}, nil
	}
	var b Branding
	var errs []error
	for i := 0; file.Page.Kind == yaml.MappingNode && i < len(file.Page.Content); i += 2 {
		if key := file.Page.Content[i].Value; !slices.Contains(brandSettings, key) {
			errs = append(errs, fmt.Errorf("configuration: page: %q is not a setting of the page; there are %s", key, strings.Join(brandSettings, ", ")))
		}
	}
	if err := file.Page.Decode(&b); err != nil {
		return Branding{}, errors.Join(append(errs, fmt.Errorf("configuration: page: %w", err))...)
	}
	errs = append(errs, b.check()...)
	if b.Logo != "" {
		errs = append(errs, b.readLogo(dir))
	}
	return b, errors.Join(errs...)
}

// check reports every value that is not allowed.
func (b Branding) check() []error {
	var errs []error
	wrong := func(setting, format string, args ...any) {
		errs = append(errs, fmt.Errorf("configuration: page.%s: %s", setting, fmt.Sprintf(format, args...)))
	}
	oneOf := func(setting, value string, allowed []string) {
		if value != "" && !slices.Contains(allowed, value) {
			wrong(setting, "%q is none of %s", value, strings.Join(allowed, ", "))
		}
	}
	if n := utf8.RuneCountInString(b.Name); n > maxBrandName {
		wrong("name", "has %d characters, at most %d fit", n, maxBrandName)
	}
	oneOf("theme", b.Theme, brandThemes)
	for _, name := range sortedNames(b.Colours) {
		oneOf("colours", name, brandColours)
		if !hexColour.MatchString(b.Colours[name]) {
			wrong("colours."+name, "%q is not a colour like #0af or #00aaff", b.Colours[name])
		}
	}
	for i, f := range b.Figures {
		oneOf("figures", f, brandFigures)
		if slices.Contains(b.Figures[:i], f) {
			wrong("figures", "%q stands there twice", f)
		}
	}
	if b.Language != "" && !languageTag.MatchString(b.Language) {
		wrong("language", "%q is not a language like de or pt-BR", b.Language)
	}
	oneOf("units", b.Units, brandUnits)
	oneOf("currency_display", b.CurrencyDisplay, brandCurrencies)
	return errs
}

// readLogo reads the logo's file, which the page is served from memory with.
func (b *Branding) readLogo(dir string) error {
	name := b.Logo
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	if ext := strings.ToLower(filepath.Ext(name)); !slices.Contains(brandLogos, ext) {
		return fmt.Errorf("configuration: page.logo: %q is none of the kinds %s", b.Logo, strings.Join(brandLogos, ", "))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("configuration: page.logo: %w", err)
	}
	if len(text) > maxLogoBytes {
		return fmt.Errorf("configuration: page.logo: %s has %d bytes, at most %d are served", b.Logo, len(text), maxLogoBytes)
	}
	b.logo = text
	return nil
}

// assets returns what the page fetches: /page.json, and the logo if there is one.
func (b Branding) assets() (map[string]*asset, error) {
	files := map[string]*asset{}
	if b.logo != nil {
		b.Logo = "brand/logo" + strings.ToLower(filepath.Ext(b.Logo))
		logo, err := newAsset(b.Logo, b.logo)
		if err != nil {
			return nil, err
		}
		files["/"+b.Logo] = logo
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	file, err := newAsset("page.json", append(text, '\n'))
	if err != nil {
		return nil, err
	}
	files["/page.json"] = file
	return files, nil
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

package loadtest

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size of a plot, and the room around what is drawn, in SVG units.
const (
	plotWidth  = 720.0
	plotHeight = 240.0
	plotLeft   = 70.0
	plotRight  = 12.0
	plotTop    = 12.0
	plotBottom = 28.0
)

// series is one line of a plot. A NaN interrupts it.
type series struct {
	name string
	y    []float64
}

// plot draws lines over a common axis.
type plot struct {
	title  string
	x      []float64
	lines  []series
	xLabel func(float64) string
	yLabel func(float64) string
	xTicks []float64
	log    bool // the y axis is logarithmic
}

// svg returns the plot as an element to be put into a page. Colours are classes
// of the page: s0, s1 and so on.
func (p *plot) svg() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<figure><figcaption>%s%s</figcaption><svg viewBox="0 0 %g %g" role="img" aria-label="%s">`,
		html.EscapeString(p.title), p.legend(), plotWidth, plotHeight, html.EscapeString(p.title))
	low, high, ticks := p.yAxis()
	for _, y := range ticks {
		at := p.yAt(y, low, high)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, plotWidth-plotRight, at, at, plotLeft-6, at+4, html.EscapeString(p.yLabel(y)))
	}
	for i, x := range p.xTicks {
		anchor := "middle"
		if i == len(p.xTicks)-1 {
			anchor = "end"
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, p.xAt(x), plotHeight-8, anchor, html.EscapeString(p.xLabel(x)))
	}
	for i, s := range p.lines {
		fmt.Fprintf(&b, `<path class="s%d" d="%s"/>`, i, p.path(s.y, low, high))
	}
	b.WriteString("</svg></figure>")
	return template.HTML(b.String()) // #nosec G203 -- all text was escaped above
}

func (p *plot) legend() string {
	if len(p.lines) < 2 {
		return ""
	}
	var b strings.Builder
	for i, s := range p.lines {
		fmt.Fprintf(&b, ` <span class="key s%d">%s</span>`, i, html.EscapeString(s.name))
	}
	return b.String()
}

// path returns the line through the values. A value without neighbours is drawn
// as a dot, by a line of no length.
func (p *plot) path(y []float64, low, high float64) string {
	var b strings.Builder
	pen := "M"
	for i, v := range y {
		if math.IsNaN(v) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, p.xAt(p.x[i]), p.yAt(v, low, high))
		if alone := i+1 == len(y) || math.IsNaN(y[i+1]); pen == "M" && alone {
			b.WriteString("h0.1")
		}
		pen = "L"
	}
	return b.String()
}

func (p *plot) xAt(x float64) float64 {
	first, last := 0.0, 1.0
	if n := len(p.x); n > 0 {
		first, last = p.x[0], p.x[n-1]
	}
	if last <= first {
		last = first + 1
	}
	return plotLeft + (x-first)/(last-first)*(plotWidth-plotLeft-plotRight)
}

func (p *plot) yAt(y, low, high float64) float64 {
	if p.log {
		y, low, high = math.Log10(max(y, low)), math.Log10(low), math.Log10(high)
	}
	return plotHeight - plotBottom - (y-low)/(high-low)*(plotHeight-plotTop-plotBottom)
}

// yAxis returns where the y axis begins and ends, and what is marked on it.
func (p *plot) yAxis() (low, high float64, ticks []float64) {
	low, high = math.Inf(1), 1
	for _, s := range p.lines {
		for _, v := range s.y {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if p.log {
		low = math.Pow(10, math.Floor(math.Log10(max(min(low, high), 1))))
		high = max(math.Pow(10, math.Ceil(math.Log10(high))), low*10)
		for y := low; y <= high*1.001; y *= 10 {
			ticks = append(ticks, y)
		}
		return low, high, ticks
	}
	step := tickStep(high)
	high = math.Ceil(high/step) * step
	for y := 0.0; y <= high*1.001; y += step {
		ticks = append(ticks, y)
	}
	return 0, high, ticks
}

// tickStep returns a round distance that divides an axis into two to five parts.
func tickStep(high float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(high)))
	switch {
	case high/unit >= 5:
		return 2 * unit
	case high/unit >= 2:
		return unit
	}
	return unit / 2
}

// short writes a number for an axis.
func short(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.size {
			return strconv.FormatFloat(v/u.size, 'g', 4, 64) + u.name
		}
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func microsLabel(v float64) string { return micros(int64(v)) }

func clockLabel(v float64) string { return time.Unix(int64(v), 0).UTC().Format("15:04:05") }

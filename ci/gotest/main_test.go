package main

import (
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	const events = `{"Action":"output","Package":"p","Test":"TestGood","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0.1}
{"Action":"output","Package":"p","Test":"TestBad","Output":"want 1, got 2\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":0.25}
{"Action":"skip","Package":"p","Test":"TestLater"}
{"Action":"fail","Package":"p","Elapsed":1}
{"Action":"build-output","ImportPath":"q [q.test]","Output":"q.go:1: no such thing\n"}
{"Action":"fail","Package":"q","Elapsed":0,"FailedBuild":"q [q.test]"}
{"Action":"output","Package":"r","Test":"TestHangs","Output":"last words\n"}
{"Action":"output","Package":"r","Output":"exit status 3\n"}
{"Action":"fail","Package":"r","Elapsed":2}
`
	const want = `--- fail p TestBad (0.25s)
want 1, got 2
--- skip p TestLater (0.00s)
FAIL p                                    3 tests     1.00s
FAIL q                                    0 tests     0.00s
q.go:1: no such thing
FAIL r                                    0 tests     2.00s
exit status 3
--- died r TestHangs
last words
go: 1 passed, 3 failed, 1 skipped
`
	var got strings.Builder
	s := newSummary(&got)
	if err := s.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	s.close()
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}

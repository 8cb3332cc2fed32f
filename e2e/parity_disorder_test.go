package e2e

import "testing"

func parityOfDisorder(t *testing.T) {}

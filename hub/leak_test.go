package hub

import (
	"testing"

	"livemap/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

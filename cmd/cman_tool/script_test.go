package main

import (
	"flag"
	"testing"

	"fangnetz/internal/wiretest"
)

var update = flag.Bool("update", false, "rewrite the scripts' goldens")

func TestMain(m *testing.M) { wiretest.Main(m, "cman_tool", main) }

func TestScript(t *testing.T) { wiretest.Scripts(t, *update) }

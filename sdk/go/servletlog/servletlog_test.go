package servletlog_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	servlet "github.com/writ-run/writ/sdk/go"
	"github.com/writ-run/writ/sdk/go/servletlog"
	"github.com/writ-run/writ/sdk/go/servlettest"
)

var logger = servletlog.New(slog.LevelDebug)

func init() {
	servlet.AddTool(servlet.Tool{Name: "work", Description: "logs"}, func(context.Context, struct{}) (string, error) {
		logger.Debug("start")
		logger.With("file", "a b").WithGroup("g").Warn("odd", "n", 1)
		logger.Error("end")
		return "ok", nil
	})
}

func TestSlogReachesTheOperatorsLog(t *testing.T) {
	var got []string
	s := servlettest.New(t, servlettest.Host{Log: func(level servlet.Level, text string) {
		got = append(got, fmt.Sprint(level, " ", text))
	}})
	s.Call("work", nil)
	want := []string{"0 msg=start", `2 msg=odd file="a b" g.n=1`, "3 msg=end"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

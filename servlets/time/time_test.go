package main

import (
	"archive/zip"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/sdk/go/servlettest"
)

var update = flag.Bool("update", false, "write zones.txt anew")

// at stops the clock.
func at(t *testing.T, text string) {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	before := now
	t.Cleanup(func() { now = before })
	now = func() time.Time { return moment }
}

func TestCurrentTime(t *testing.T) {
	s := servlettest.New(t, servlettest.Host{})
	for _, row := range []struct{ name, at, zone, want string }{
		{"winter", "2026-01-15T12:00:00Z", "Europe/Warsaw", `{"timezone":"Europe/Warsaw","datetime":"2026-01-15T13:00:00+01:00","day_of_week":"Thursday","is_dst":false}`},
		{"summer", "2026-07-15T12:00:30.9Z", "Europe/Warsaw", `{"timezone":"Europe/Warsaw","datetime":"2026-07-15T14:00:30+02:00","day_of_week":"Wednesday","is_dst":true}`},
		{"the day before", "2026-01-15T03:00:00Z", "America/New_York", `{"timezone":"America/New_York","datetime":"2026-01-14T22:00:00-05:00","day_of_week":"Wednesday","is_dst":false}`},
		{"a quarter of an hour", "2026-01-15T12:00:00Z", "Asia/Kathmandu", `{"timezone":"Asia/Kathmandu","datetime":"2026-01-15T17:45:00+05:45","day_of_week":"Thursday","is_dst":false}`},
		{"summer in the south", "2026-01-15T12:00:00Z", "Australia/Lord_Howe", `{"timezone":"Australia/Lord_Howe","datetime":"2026-01-15T23:00:00+11:00","day_of_week":"Thursday","is_dst":true}`},
		{"UTC", "2026-01-15T12:00:00Z", "UTC", `{"timezone":"UTC","datetime":"2026-01-15T12:00:00+00:00","day_of_week":"Thursday","is_dst":false}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			at(t, row.at)
			if r := s.Call("get_current_time", currentInput{row.zone}); r.IsError || r.Text() != row.want || string(r.Structured) != row.want {
				t.Errorf("got  %s\nwant %s", r.Text(), row.want)
			}
		})
	}
}

func TestConvertTime(t *testing.T) {
	s := servlettest.New(t, servlettest.Host{})
	for _, row := range []struct{ name, at, from, time, to, source, target, difference, note string }{
		{"east", "2026-01-15T12:00:00Z", "America/New_York", "16:30", "Asia/Tokyo", "2026-01-15T16:30:00-05:00", "2026-01-16T06:30:00+09:00", "+14.0h", ""},
		{"east in summer", "2026-07-15T12:00:00Z", "America/New_York", "9:05", "Asia/Tokyo", "2026-07-15T09:05:00-04:00", "2026-07-15T22:05:00+09:00", "+13.0h", ""},
		{"west", "2026-01-15T12:00:00Z", "Europe/London", "00:00", "America/St_Johns", "2026-01-15T00:00:00+00:00", "2026-01-14T20:30:00-03:30", "-3.5h", ""},
		{"by quarters", "2026-01-15T12:00:00Z", "UTC", "12:00", "Asia/Kathmandu", "2026-01-15T12:00:00+00:00", "2026-01-15T17:45:00+05:45", "+5.75h", ""},
		{"nowhere", "2026-01-15T12:00:00Z", "UTC", "23:59", "UTC", "2026-01-15T23:59:00+00:00", "2026-01-15T23:59:00+00:00", "+0.0h", ""},
		{"of today where it is tomorrow already", "2026-01-15T23:00:00Z", "Asia/Tokyo", "12:00", "UTC", "2026-01-16T12:00:00+09:00", "2026-01-16T03:00:00+00:00", "-9.0h", ""},
		{"between two zones that change on other days", "2026-03-20T12:00:00Z", "Europe/Oslo", "12:00", "America/New_York", "2026-03-20T12:00:00+01:00", "2026-03-20T07:00:00-04:00", "-5.0h", ""},
		{"before the change", "2026-03-29T12:00:00Z", "Europe/Oslo", "01:30", "UTC", "2026-03-29T01:30:00+01:00", "2026-03-29T00:30:00+00:00", "-1.0h", ""},
		{"after the change", "2026-03-29T12:00:00Z", "Europe/Oslo", "03:30", "UTC", "2026-03-29T03:30:00+02:00", "2026-03-29T01:30:00+00:00", "-2.0h", ""},
		{"a time that is not there", "2026-03-29T12:00:00Z", "Europe/Oslo", "02:30", "UTC", "2026-03-29T03:30:00+02:00", "2026-03-29T01:30:00+00:00", "-2.0h",
			"On 2026-03-29 there is no 02:30 in Europe/Oslo: clocks go forward. 03:30 is taken instead."},
		{"a time that is there twice", "2026-10-25T12:00:00Z", "Europe/Oslo", "02:30", "UTC", "2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00+00:00", "-2.0h",
			"On 2026-10-25 02:30 comes twice in Europe/Oslo: clocks go back. The first is taken; the second is at 02:30 +01:00."},
		{"after the change back", "2026-10-25T12:00:00Z", "Europe/Oslo", "03:00", "UTC", "2026-10-25T03:00:00+01:00", "2026-10-25T02:00:00+00:00", "-1.0h", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			at(t, row.at)
			got, err := convertTime(t.Context(), convertInput{row.from, row.time, row.to})
			if err != nil || got.Source.Datetime != row.source || got.Target.Datetime != row.target || got.Difference != row.difference || got.Note != row.note {
				t.Errorf("%v, got %+v", err, got)
			}
		})
	}
	at(t, "2026-07-15T12:00:00Z")
	const want = `{"source":{"timezone":"Europe/Oslo","datetime":"2026-07-15T12:00:00+02:00","day_of_week":"Wednesday","is_dst":true},` +
		`"target":{"timezone":"Asia/Tokyo","datetime":"2026-07-15T19:00:00+09:00","day_of_week":"Wednesday","is_dst":false},"time_difference":"+7.0h"}`
	if r := s.Call("convert_time", `{"source_timezone":"Europe/Oslo","time":"12:00","target_timezone":"Asia/Tokyo"}`); r.Text() != want {
		t.Errorf("got  %s\nwant %s", r.Text(), want)
	}
}

func TestRefusals(t *testing.T) {
	s := servlettest.New(t, servlettest.Host{})
	for zone, want := range map[string]string{
		"Europe/Olso":      `there is no time zone "Europe/Olso"; near it are Europe/Oslo`,
		"europe/oslo":      `there is no time zone "europe/oslo"; near it are Europe/Oslo`,
		"New York":         `there is no time zone "New York"; near it are America/New_York`,
		"Paris":            `there is no time zone "Paris"; near it are Europe/Paris`,
		"Asia/Paris":       `there is no time zone "Asia/Paris"; near it are Europe/Paris`,
		"Argentina":        `there is no time zone "Argentina"; near it are America/Argentina/Buenos_Aires, America/Argentina/Catamarca, America/Argentina/ComodRivadavia`,
		"Local":            `there is no time zone "Local": want an IANA name such as Europe/Oslo, America/New_York or UTC`,
		"":                 `there is no time zone "": want an IANA name such as Europe/Oslo, America/New_York or UTC`,
		"Nowhere/Zzzzzzzz": `there is no time zone "Nowhere/Zzzzzzzz": want an IANA name such as Europe/Oslo, America/New_York or UTC`,
		"../etc/passwd":    `there is no time zone "../etc/passwd": want an IANA name such as Europe/Oslo, America/New_York or UTC`,
		"Oslo\x1b[2J\n":    `there is no time zone "Oslo\x1b[2J\n": want an IANA name such as Europe/Oslo, America/New_York or UTC`,
		"Europe/Brlin":     `there is no time zone "Europe/Brlin"; near it are Europe/Berlin`,
	} {
		if r := s.Call("get_current_time", currentInput{zone}); !r.IsError || r.Text() != want {
			t.Errorf("%q: got %s", zone, r.Text())
		}
		for _, in := range []convertInput{{zone, "12:00", "UTC"}, {"UTC", "12:00", zone}} {
			if r := s.Call("convert_time", in); !r.IsError || r.Text() != want {
				t.Errorf("%+v: got %s", in, r.Text())
			}
		}
	}
	for _, text := range []string{"", "noon", "24:00", "12:60", "12", "12:00:00", "4pm", "-1:00", "12.30"} {
		if r := s.Call("convert_time", convertInput{"UTC", text, "UTC"}); !r.IsError || !strings.Contains(r.Text(), "is not a time: write it as HH:MM") {
			t.Errorf("%q: got %s", text, r.Text())
		}
	}
}

// The names are those of the toolchain that builds the servlet, and each has its rules in it.
func TestNamesAreThoseOfTheDatabase(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var want []string
	for _, f := range r.File {
		if !f.FileInfo().IsDir() && f.Name != "Factory" { // a zone that stands for none
			want = append(want, f.Name)
		}
	}
	slices.Sort(want)
	if *update {
		if err := os.WriteFile("zones.txt", []byte(strings.Join(want, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		names = strings.Join(want, "\n")
	}
	if got := strings.Fields(names); !slices.Equal(got, want) {
		t.Errorf("zones.txt has %d names, the database %d: run go generate", len(got), len(want))
	}
	t.Setenv("ZONEINFO", "/nonexistent")
	for _, name := range want {
		if zone, err := load(name); err != nil || zone.String() != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

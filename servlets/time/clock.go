package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	servlet "github.com/writ-run/writ/sdk/go"
)

// now is the clock. Tests set it.
var now = time.Now

type currentInput struct {
	Timezone string `json:"timezone" max:"64" description:"IANA name of the time zone, such as Europe/Oslo or America/New_York; UTC when nobody said where"`
}

type convertInput struct {
	Source string `json:"source_timezone" max:"64" description:"IANA name of the time zone that the time is in, such as Europe/Oslo; UTC when nobody said"`
	Time   string `json:"time" max:"16" description:"The time to convert, as HH:MM on a clock of 24 hours"`
	Target string `json:"target_timezone" max:"64" description:"IANA name of the time zone to convert to, such as Asia/Tokyo; UTC when nobody said"`
}

// moment is a point in time as the clocks of one zone show it.
type moment struct {
	Timezone string `json:"timezone"`
	Datetime string `json:"datetime"` // ISO 8601, to the second
	Day      string `json:"day_of_week"`
	DST      bool   `json:"is_dst"`
}

type conversion struct {
	Source     moment `json:"source"`
	Target     moment `json:"target"`
	Difference string `json:"time_difference"` // of the target to the source: "+5.5h"
	Note       string `json:"note,omitempty" description:"Set when clocks change that night, so that the time is there twice or never"`
}

func shown(t time.Time) moment {
	return moment{Timezone: t.Location().String(), Datetime: t.Format("2006-01-02T15:04:05-07:00"), Day: t.Weekday().String(), DST: t.IsDST()}
}

func currentTime(_ context.Context, in currentInput) (moment, error) {
	zone, err := load(in.Timezone)
	if err != nil {
		return moment{}, err
	}
	return shown(now().In(zone)), nil
}

func convertTime(_ context.Context, in convertInput) (conversion, error) {
	from, err := load(in.Source)
	if err != nil {
		return conversion{}, err
	}
	to, err := load(in.Target)
	if err != nil {
		return conversion{}, err
	}
	clock, err := time.Parse("15:04", strings.TrimSpace(in.Time))
	if err != nil {
		return conversion{}, servlet.Errorf("%q is not a time: write it as HH:MM on a clock of 24 hours, such as 16:30", in.Time)
	}
	source, note := today(clock, from)
	target := source.In(to)
	return conversion{Source: shown(source), Target: shown(target), Difference: difference(source, target), Note: note}, nil
}

// today is when the clocks of a zone show the time on its present day. Where they go forward that night
// there may be no such moment: then it is as long after midnight as the time says, an hour later on
// the clock. Where they go back there may be two: then it is the first.
func today(clock time.Time, zone *time.Location) (t time.Time, note string) {
	year, month, day := now().In(zone).Date()
	date := time.Date(year, month, day, clock.Hour(), clock.Minute(), 0, 0, time.UTC)
	var found []time.Time
	for _, offset := range offsets(date, zone) {
		if c := date.Add(-offset).In(zone); c.Hour() == clock.Hour() && c.Minute() == clock.Minute() && (len(found) == 0 || !c.Equal(found[0])) {
			found = append(found, c)
		}
	}
	switch text := clock.Format("15:04"); len(found) {
	case 0:
		t = date.Add(-offsets(date, zone)[0]).In(zone)
		return t, fmt.Sprintf("On %s there is no %s in %s: clocks go forward. %s is taken instead.", date.Format(time.DateOnly), text, zone, t.Format("15:04"))
	case 1:
		return found[0], ""
	default:
		return found[0], fmt.Sprintf("On %s %s comes twice in %s: clocks go back. The first is taken; the second is at %s.",
			date.Format(time.DateOnly), text, zone, found[1].Format("15:04 -07:00"))
	}
}

// offsets are those of a zone a day before and a day after a date: earlier first.
func offsets(date time.Time, zone *time.Location) (list []time.Duration) {
	for _, days := range []int{-1, 1} {
		_, seconds := date.AddDate(0, 0, days).In(zone).Zone()
		list = append(list, time.Duration(seconds)*time.Second)
	}
	return list
}

// difference is in hours, with a decimal place at least: "+13.0h", "+5.75h".
func difference(source, target time.Time) string {
	_, from := source.Zone()
	_, to := target.Zone()
	text := strings.TrimRight(fmt.Sprintf("%+.2f", float64(to-from)/3600), "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text + "h"
}

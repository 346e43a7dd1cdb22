package resources

import (
	"os"
	"strings"
	"testing"
)

func TestRows(t *testing.T) {
	for _, row := range Rows() {
		t.Run(row.ID, func(t *testing.T) {
			found := row.Try(os.Getenv("LONG") != "")
			for _, hit := range found.Hits {
				t.Error(hit)
			}
			t.Log(strings.Join(found.Details, "; "))
		})
	}
}

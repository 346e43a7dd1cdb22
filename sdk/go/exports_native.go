//go:build !wasip1

package servlet

import "github.com/writ-run/writ/sdk/go/internal/abi"

func init() { abi.Call, abi.Describe, abi.Warm = call, describe, warm }

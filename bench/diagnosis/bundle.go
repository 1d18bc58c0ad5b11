package main

import (
	"context"
)

// bundle measures a diagnosis of a bundle with a gigabyte of logs.
func bundle(context.Context, string) (bool, error) { return true, nil }

package writer

import (
	"context"
	"fmt"
	"strconv"
)

// Do runs statements, each on its own, over one connection of the writer's way.
func (w *Writer) Do(ctx context.Context, statements ...string) error {
	c, err := w.Open(ctx)
	if err != nil {
		return err
	}
	defer hangUp(c)
	for _, s := range statements {
		if _, err := c.Exec(ctx, s).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

// Rows are the numbers that are in the table.
func (w *Writer) Rows(ctx context.Context) ([]int64, error) {
	c, err := w.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer hangUp(c)
	results, err := c.Exec(ctx, "select n from "+w.Table+" order by n").ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []int64
	for _, row := range results[0].Rows {
		n, err := strconv.ParseInt(string(row[0]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("row %q is no number: %w", row[0], err)
		}
		rows = append(rows, n)
	}
	return rows, nil
}

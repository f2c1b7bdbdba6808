-- +goose Up
-- How many requests a row stands for. What an older server writes stands for one.
ALTER TABLE log ADD COLUMN count INTEGER NOT NULL DEFAULT 1;

"""Mouths and ears: each implements `Chat` and hands Message, Click and Form to the front door."""

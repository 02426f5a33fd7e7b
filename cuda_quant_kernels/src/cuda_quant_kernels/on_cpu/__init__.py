"""CUDA C++ on a CPU: one fiber per CUDA thread, a tracer, and the address sanitizer. README.md says what it models.

Read in this order: rewrite.py (the syntax), include/cudacpu.h (what a kernel sees), runtime/scheduler.h (who runs
when), runtime/tracer.h (what is watched), then the Python side: compile.py, library.py, trace.py, sanitize.py.
"""

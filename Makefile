# The course's commands. The work is done by course_utils/commands.py; this file finds a Python.
#
#   make lab         environment, copies of the notebooks in work/, JupyterLab on lesson 00
#   make test        everything: format, lint, unit tests, every notebook in both forms
#   make quick       the same for what a change touches
#   make notebooks   build what changed (ALL=1: everything; LESSON=04: one lesson)
#   make results     LESSON=05: measure anew what a lesson reads from data/results
#                    LESSON=12 PART=senses SEEDS=3,4: one part, for these seeds, joined into it
#   make encoders    train anew the frozen encoders of data/encoders
#   make publish     REPO=owner/name: set the course's public address everywhere
#   make slides      slides of every lesson, in build/slides
#   make grade       a folder for nbgrader, build/nbgrader, and the commands to give there
#   make handout     the course for learners, without solutions, in build/handout

# A Python must run to count: a name on the path may be a shim that fails. (Without `|| echo`,
# make would show what a missing command says.)
PROBE := "import sys; print('course-python' * ((3, 11) <= sys.version_info[:2] <= (3, 13)))"
try = $(if $(filter course-python,$(shell $(1) -c $(PROBE) 2>&1 || echo no)),$(1))
there = $(foreach path,$(wildcard $(1)),$(call try,$(path)))
PYTHON := $(or $(call there,.venv/bin/python .venv/Scripts/python.exe),$(call try,python3.13),$(call try,python3.12),$(call try,python3.11),$(call try,python3),$(call try,python))
RUN = $(or $(PYTHON),$(error No Python 3.11, 3.12 or 3.13 was found: install one from python.org and run the same command again)) -m course_utils.commands

.PHONY: lab test quick notebooks results encoders publish slides grade handout

lab:
	@$(RUN) lab $(LAB_ARGS)

test:
	@$(RUN) test

quick:
	@$(RUN) quick

notebooks:
	@$(RUN) build $(if $(ALL),--all) $(LESSON)

results:
	@$(RUN) results $(LESSON) $(if $(PART),--part "$(PART)") $(if $(SEEDS),--seeds "$(SEEDS)")

encoders:
	@$(RUN) encoders

publish:
	@$(RUN) publish $(REPO)

slides:
	@$(RUN) slides build/slides

grade:
	@$(RUN) grade build/nbgrader

handout:
	@$(RUN) handout build/handout

# SPDX-License-Identifier: Apache-2.0
"""Cases that the product does not pass yet, each with the reason. One that starts to pass fails the run until it goes."""

KNOWN_WRONG = {}

# SPDX-License-Identifier: Apache-2.0
"""All cases, by name."""
import cases_documents
import cases_registry
import cases_stream
import cases_tar_names
from case import CASES

assert cases_documents and cases_registry and cases_stream and cases_tar_names and CASES

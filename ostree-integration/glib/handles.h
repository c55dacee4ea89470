// SPDX-License-Identifier: Apache-2.0
// Owners for what GLib hands out. Adopt() takes over a reference that a call returned ("transfer full"); Ref() adds one
// of its own to what somebody else owns ("transfer none").
#pragma once

#include <gio/gio.h>

#include <memory>

namespace hostapp::glib {

struct Unref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
// A GObject of type T.
template <typename T>
using ObjectPtr = std::unique_ptr<T, Unref>;

template <typename T>
ObjectPtr<T> Adopt(T* object) {
  return ObjectPtr<T>(object);
}
template <typename T>
ObjectPtr<T> Ref(T* object) {
  return ObjectPtr<T>(object == nullptr ? nullptr : static_cast<T*>(g_object_ref(object)));
}

struct VariantUnref {
  void operator()(GVariant* variant) const { g_variant_unref(variant); }
};
using VariantPtr = std::unique_ptr<GVariant, VariantUnref>;

// Of a call that returns a full reference, never a floating one.
inline VariantPtr Adopt(GVariant* variant) { return VariantPtr(variant); }
// Of a constructor: what floats is made ours.
inline VariantPtr Sink(GVariant* floating) { return VariantPtr(g_variant_ref_sink(floating)); }

struct Free {
  void operator()(gpointer memory) const { g_free(memory); }
};
using StringPtr = std::unique_ptr<char, Free>;

struct BytesUnref {
  void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
};
using BytesPtr = std::unique_ptr<GBytes, BytesUnref>;

struct HashTableUnref {
  void operator()(GHashTable* table) const { g_hash_table_unref(table); }
};
using HashTablePtr = std::unique_ptr<GHashTable, HashTableUnref>;

struct KeyFileUnref {
  void operator()(GKeyFile* file) const { g_key_file_unref(file); }
};
using KeyFilePtr = std::unique_ptr<GKeyFile, KeyFileUnref>;

}  // namespace hostapp::glib

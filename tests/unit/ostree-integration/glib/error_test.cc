// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/glib/error.h"

#include <gtest/gtest.h>

#include "ostree-integration/glib/cancellable.h"
#include "ostree-integration/glib/handles.h"

namespace hostapp::glib {
namespace {

Error ErrorFor(GQuark domain, int code, const char* text) {
  ErrorSlot slot;
  g_set_error_literal(slot, domain, code, text);
  return slot.Take();
}

TEST(ErrorSlot, GivesTheCodeThatACallerDecidesOn) {
  EXPECT_EQ(ErrorFor(G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "x").code(), Errc::kNotFound);
  EXPECT_EQ(ErrorFor(G_IO_ERROR, G_IO_ERROR_NO_SPACE, "x").code(), Errc::kNoSpace);
  EXPECT_EQ(ErrorFor(G_IO_ERROR, G_IO_ERROR_CANCELLED, "x").code(), Errc::kCancelled);
  EXPECT_EQ(ErrorFor(G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "x").code(), Errc::kBusy);
  EXPECT_EQ(ErrorFor(G_IO_ERROR, G_IO_ERROR_FAILED, "x").code(), Errc::kIo);
  EXPECT_EQ(ErrorFor(G_FILE_ERROR, G_FILE_ERROR_NOENT, "x").code(), Errc::kIo);
  EXPECT_EQ(ErrorFor(G_FILE_ERROR, G_FILE_ERROR_NOSPC, "x").code(), Errc::kNoSpace);
}

TEST(ErrorSlot, TellsTheMachinesTroubleFromDamagedData) {
  for (const int code :
       {G_FILE_ERROR_MFILE, G_FILE_ERROR_NFILE, G_FILE_ERROR_ACCES, G_FILE_ERROR_ROFS, G_FILE_ERROR_IO}) {
    ErrorSlot slot;
    g_set_error_literal(slot, G_FILE_ERROR, code, "x");
    EXPECT_EQ(slot.Take(Errc::kCorrupt).code(), Errc::kIo) << code;
  }
  ErrorSlot slot;
  g_set_error_literal(slot, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES, "x");
  EXPECT_EQ(slot.Take(Errc::kCorrupt).code(), Errc::kIo);
}

TEST(ErrorSlot, ReadsWhatGioHasNoCodeFor) {
  const auto code = [](const char* text) {
    ErrorSlot slot;
    g_set_error_literal(slot, G_IO_ERROR, G_IO_ERROR_FAILED, text);
    return slot.Take(Errc::kCorrupt).code();
  };
  EXPECT_EQ(code("opening repo: mkdir(tmp): Input/output error"), Errc::kIo);
  EXPECT_EQ(code("opening repo: mkdir(tmp): Interrupted system call"), Errc::kIo);
  EXPECT_EQ(code("mkdir(tmp): Disk quota exceeded"), Errc::kNoSpace);
  EXPECT_EQ(code("No METADATA_KEY in commit"), Errc::kCorrupt);
}

TEST(ErrorSlot, EscapesTextFromOutside) {
  EXPECT_EQ(ErrorFor(G_IO_ERROR, G_IO_ERROR_FAILED, "opening \x1b[31m").message(), "opening \\x1b[31m");
}

TEST(ErrorSlot, IsEmptyAfterTake) {
  ErrorSlot slot;
  g_set_error_literal(slot, G_IO_ERROR, G_IO_ERROR_FAILED, "x");
  EXPECT_TRUE(slot.set());
  (void)slot.Take();
  EXPECT_FALSE(slot.set());
}

TEST(ErrorSlot, CallsAMissingReasonABug) {
  ErrorSlot slot;
  EXPECT_EQ(slot.Take().code(), Errc::kInternal);
}

TEST(Ref, AddsAReferenceAndAdoptTakesOneOver) {
  GCancellable* raw = g_cancellable_new();
  ObjectPtr<GCancellable> owner = Adopt(raw);
  EXPECT_EQ(G_OBJECT(raw)->ref_count, 1U);
  {
    ObjectPtr<GCancellable> second = Ref(raw);
    EXPECT_EQ(G_OBJECT(raw)->ref_count, 2U);
  }
  EXPECT_EQ(G_OBJECT(raw)->ref_count, 1U);
}

TEST(Cancellable, FollowsItsToken) {
  CancellationToken token;
  Cancellable cancellable(token);
  EXPECT_FALSE(g_cancellable_is_cancelled(cancellable));
  token.Cancel();
  GPollFD poll{};
  ASSERT_TRUE(g_cancellable_make_pollfd(cancellable, &poll));
  EXPECT_EQ(g_poll(&poll, 1, 10'000), 1);
  g_cancellable_release_fd(cancellable);
  EXPECT_TRUE(g_cancellable_is_cancelled(cancellable));
}

}  // namespace
}  // namespace hostapp::glib

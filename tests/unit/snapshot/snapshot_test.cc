#include "snapshot/snapshot.h"

#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <string>

namespace sluice::snapshot {
namespace {

// The key lies inside the string object (short string), hence inside memory that the test owns and may
// look at after the pair has died.
TEST(KeyPair, WipesItsPrivateKeyWhenItDies) {
  alignas(KeyPair) std::byte memory[sizeof(KeyPair)];
  auto* pair = new (memory) KeyPair;
  pair->key_pem = "secret key";
  const char* key = pair->key_pem.data();
  ASSERT_EQ(std::memcmp(key, "secret key", 10), 0);
  pair->~KeyPair();
  const std::string_view left(reinterpret_cast<const char*>(memory), sizeof memory);
  EXPECT_EQ(left.find("secret"), std::string_view::npos);
}

}  // namespace
}  // namespace sluice::snapshot

// Causal attention with a relative bias over whole sequences, forward and backward, for training on a CPU.
//
// The same function as blocked_attention.py, which is the reference and the fallback. Scores of one tile of queries
// never leave the cache, and are computed again in the backward pass instead of being kept (Dao et al. 2022). Products
// run on the processor's matrix units through the small matrix product that torch itself uses for its attention, or, on
// processors that have none, on its vector units' products of bfloat16 (AVX512_BF16: AMD since Zen 4).
//
// Legend: B rows, T positions, H query heads, J key/value heads, X head width, R relative width, E extent of the bias.
// "Pairs" of a matrix: two rows after one another interleaved, the form in which the product takes its right operand.

#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>
#include <torch/extension.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <vector>

namespace {

using at::BFloat16;
using at::Tensor;

bool has_matrix_units() {
  static const bool has = at::native::cpublas::could_pack(at::kBFloat16);
  return has;
}

#ifdef __AVX512BF16__
constexpr bool HAS_VECTOR_PRODUCTS = true;

// ROWS x (16 VECTORS) sums stay in registers: each pair of rows of B is read once for all of them.
template <int ROWS, int VECTORS>
inline void product_of_block(int64_t depth, int64_t lda, int64_t ldb, int64_t ldc, bool adds, const BFloat16* a,
                             const BFloat16* b, float* c) {
  __m512 sum[ROWS][VECTORS];
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < VECTORS; ++v)
      sum[r][v] = adds ? _mm512_loadu_ps(c + r * ldc + 16 * v) : _mm512_setzero_ps();
  for (int64_t pair = 0; pair < depth / 2; ++pair) {
    __m512bh right[VECTORS];
    for (int v = 0; v < VECTORS; ++v)
      right[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + 2 * (pair * ldb + 16 * v)));
    for (int r = 0; r < ROWS; ++r) {
      int32_t both;
      std::memcpy(&both, a + r * lda + 2 * pair, 4);
      const auto left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(both));
      for (int v = 0; v < VECTORS; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], left, right[v]);
    }
  }
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < VECTORS; ++v) _mm512_storeu_ps(c + r * ldc + 16 * v, sum[r][v]);
}

template <int VECTORS>
void product_in_blocks(int64_t rows, int64_t depth, int64_t lda, int64_t ldb, int64_t ldc, bool adds,
                       const BFloat16* a, const BFloat16* b, float* c) {
  int64_t row = 0;
  for (; row + 6 <= rows; row += 6)
    product_of_block<6, VECTORS>(depth, lda, ldb, ldc, adds, a + row * lda, b, c + row * ldc);
  for (; row + 2 <= rows; row += 2)
    product_of_block<2, VECTORS>(depth, lda, ldb, ldc, adds, a + row * lda, b, c + row * ldc);
  for (; row < rows; ++row)
    product_of_block<1, VECTORS>(depth, lda, ldb, ldc, adds, a + row * lda, b, c + row * ldc);
}

void product_in_vectors(int64_t rows, int64_t columns, int64_t depth, int64_t lda, int64_t ldb, int64_t ldc, bool adds,
                        const BFloat16* a, const BFloat16* b, float* c) {
  int64_t column = 0;
  for (; column + 64 <= columns; column += 64)
    product_in_blocks<4>(rows, depth, lda, ldb, ldc, adds, a, b + 2 * column, c + column);
  for (; column < columns; column += 16)
    product_in_blocks<1>(rows, depth, lda, ldb, ldc, adds, a, b + 2 * column, c + column);
}
#else
constexpr bool HAS_VECTOR_PRODUCTS = false;

void product_in_vectors(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, const BFloat16*, const BFloat16*,
                        float*) {
  TORCH_CHECK(false, "no products of bfloat16 here: can_run says so");
}
#endif

// C (rows, columns) = A B, or += if it adds: A (rows, depth), B as pairs (depth / 2, columns, 2); columns a multiple of
// 16, depth of 2. Leading dimensions count elements of A and C and columns of B.
void product(int64_t rows, int64_t columns, int64_t depth, int64_t lda, int64_t ldb, int64_t ldc, bool adds,
             const BFloat16* a, const BFloat16* b, float* c) {
  if (has_matrix_units())
    at::native::cpublas::brgemm(rows, columns, depth, lda, ldb, ldc, adds, a, b, c);
  else
    product_in_vectors(rows, columns, depth, lda, ldb, ldc, adds, a, b, c);
}

constexpr int64_t QT = 64;  // queries in a tile
constexpr int64_t KT = 64;  // keys in a tile
constexpr int64_t CT = 64;  // columns of the bank in a tile: one distance each

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Of the rows of a tile's scores: few different ones, since each makes products of its own; no power of two.
int64_t pitch_for(int64_t length) { return round_up(length + QT, 512) + 64; }

// Two rows as pairs.
void interleave(const BFloat16* even, const BFloat16* odd, int64_t width, BFloat16* to) {
  const auto* a = reinterpret_cast<const uint16_t*>(even);
  const auto* b = reinterpret_cast<const uint16_t*>(odd);
  auto* out = reinterpret_cast<uint32_t*>(to);
#pragma omp simd
  for (int64_t x = 0; x < width; ++x) out[x] = uint32_t(a[x]) | uint32_t(b[x]) << 16;
}

// (rows, width) with a row stride -> pairs (rows / 2, width, 2); rows past num_rows are zero.
void pack_pairs(const BFloat16* from, int64_t stride, int64_t num_rows, int64_t num_padded, int64_t width, BFloat16* to) {
  const std::vector<BFloat16> zeros(width, BFloat16(0));
  for (int64_t row = 0; row < num_padded; row += 2)
    interleave(row < num_rows ? from + row * stride : zeros.data(),
               row + 1 < num_rows ? from + (row + 1) * stride : zeros.data(), width, to + row * width);
}

// (rows, width) -> pairs of the transposed, tile by tile of KT rows: (rows / KT, width / 2, KT, 2). The two of a pair
// lie side by side already.
void pack_transposed(const BFloat16* from, int64_t stride, int64_t num_rows, int64_t num_padded, int64_t width,
                     BFloat16* to) {
  for (int64_t row = 0; row < num_padded; ++row) {
    auto* tile = reinterpret_cast<uint32_t*>(to + row / KT * (width * KT)) + row % KT;
    for (int64_t pair = 0; pair < width / 2; ++pair) {
      uint32_t both = 0;
      if (row < num_rows) std::memcpy(&both, from + row * stride + 2 * pair, 4);
      tile[pair * KT] = both;
    }
  }
}

// A tile's rows, the missing ones zero.
void copy_rows(const BFloat16* from, int64_t stride, int64_t num_rows, int64_t width, BFloat16* to) {
  for (int64_t row = 0; row < num_rows; ++row) std::memcpy(to + row * width, from + row * stride, width * 2);
  std::memset(to + num_rows * width, 0, (QT - num_rows) * width * 2);
}

inline uint16_t rounded(float value) {  // to bfloat16, to the nearest even; values are finite
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// exp for arguments at most 0, to 2e-7 of the result; below -80 it is nothing.
inline float fast_exp(float x) {
  x = std::max(x, -80.0f) * 1.44269504f;
  const float whole = std::floor(x);
  const float part = x - whole;
  float value = 1.8775767e-3f;
  value = value * part + 8.9893397e-3f;
  value = value * part + 5.5826318e-2f;
  value = value * part + 2.4015361e-1f;
  value = value * part + 6.9315308e-1f;
  value = value * part + 9.9999994e-1f;
  const int32_t bits = (int32_t(whole) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, 4);
  return value * power;
}

// Scores become logits; their greatest.
float make_logits(float* __restrict score, const float* __restrict bias, int64_t num, float factor) {
  float greatest = -1e30f;
#pragma omp simd reduction(max : greatest)
  for (int64_t k = 0; k < num; ++k) {
    const float logit = score[k] * factor + bias[k];
    score[k] = logit;
    greatest = logit > greatest ? logit : greatest;
  }
  return greatest;
}

// Logits become weights that are not normalised; their sum.
float make_weights(const float* __restrict logit, uint16_t* __restrict weight, int64_t num, float greatest) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t k = 0; k < num; ++k) {
    const float value = fast_exp(logit[k] - greatest);
    weight[k] = rounded(value);
    sum += value;
  }
  return sum;
}

// Scores and the gradients of weights become weights and the gradients of logits.
void make_gradients(const float* __restrict score, const float* __restrict bias, const float* __restrict d_weight,
                    uint16_t* __restrict weight, uint16_t* __restrict d_logit, int64_t num, float factor,
                    float log_sum, float delta) {
#pragma omp simd
  for (int64_t k = 0; k < num; ++k) {
    const float value = fast_exp(std::min(score[k] * factor + bias[k] - log_sum, 0.0f));
    weight[k] = rounded(value);
    d_logit[k] = rounded(value * (d_weight[k] - delta));
  }
}

// The bank of profiles as right operands, by tiles of CT distances, nearest first.
struct Bank {
  int64_t width, extent, num_tiles;
  std::vector<BFloat16> pairs;       // (tiles, R / 2, CT, 2): relative states -> bias
  std::vector<BFloat16> transposed;  // (tiles, CT / 2, R, 2): gradients of the bias -> of relative states

  Bank(const Tensor& profile_RE, int64_t length) : width(profile_RE.size(0)), extent(profile_RE.size(1)) {
    num_tiles = round_up(length, QT) / CT;
    pairs.assign(num_tiles * width * CT, BFloat16(0));
    transposed.assign(num_tiles * width * CT, BFloat16(0));
    const float* from = profile_RE.const_data_ptr<float>();
    for (int64_t tile = 0; tile < std::min(num_tiles, extent / CT); ++tile)
      for (int64_t r = 0; r < width; ++r)
        for (int64_t c = 0; c < CT; ++c) {
          const BFloat16 value = from[r * extent + extent - (tile + 1) * CT + c];
          pairs[tile * width * CT + (r / 2 * CT + c) * 2 + r % 2] = value;
          transposed[tile * width * CT + (c / 2 * width + r) * 2 + c % 2] = value;
        }
  }
};

// What the keys and values of one head look like to products.
struct Keys {
  std::vector<BFloat16> key_transposed, value_transposed, key_pairs, value_pairs;

  Keys(const BFloat16* key, const BFloat16* value, int64_t key_stride, int64_t value_stride, int64_t length,
       int64_t width, bool is_backward) {
    const int64_t padded = round_up(length, KT);
    key_transposed.resize(padded * width);
    value_pairs.resize(padded * width);
    pack_transposed(key, key_stride, length, padded, width, key_transposed.data());
    pack_pairs(value, value_stride, length, padded, width, value_pairs.data());
    if (!is_backward) return;
    value_transposed.resize(padded * width);
    key_pairs.resize(padded * width);
    pack_transposed(value, value_stride, length, padded, width, value_transposed.data());
    pack_pairs(key, key_stride, length, padded, width, key_pairs.data());
  }
};

// One tile of queries: which keys it can reach.
struct Tile {
  int64_t start, num_queries, first_key, num_keys, num_columns;

  Tile(int64_t start, int64_t length, int64_t window)
      : start(start),
        num_queries(std::min(QT, length - start)),
        first_key(std::max<int64_t>(0, start - window + 1) / KT * KT),
        num_keys(round_up(start + num_queries, KT) - first_key),
        num_columns(start + QT - first_key) {}

  // Where among the tile's keys a query's first and last one stand.
  int64_t low(int64_t query, int64_t window) const { return std::max<int64_t>(0, start + query - window + 1 - first_key); }
  int64_t high(int64_t query) const { return start + query - first_key; }
};

// Raw scores of a tile, (QT, num_keys), and its biases by distance, (QT, num_columns).
void score(const Tile& tile, const BFloat16* query, const BFloat16* relative, const Keys& keys, const Bank& bank,
           int64_t width, int64_t pitch, float* scores, float* biases) {
  for (int64_t k = 0; k < tile.num_keys; k += KT)
    product(QT, KT, width, width, KT, pitch, false, query,
           keys.key_transposed.data() + (tile.first_key + k) * width, scores + k);
  const int64_t num_tiles = tile.num_columns / CT;
  for (int64_t t = 0; t < num_tiles; ++t)
    product(QT, CT, bank.width, bank.width, CT, pitch, false, relative,
           bank.pairs.data() + t * bank.width * CT, biases + (num_tiles - 1 - t) * CT);
}

struct Shape {
  int64_t rows, length, heads, kv_heads, width;
};

Shape shape_of(const Tensor& query_BTHX, const Tensor& key_BTJX, const Tensor& relative_BTHR, const Tensor& profile_RE) {
  TORCH_CHECK(query_BTHX.scalar_type() == at::kBFloat16 && key_BTJX.scalar_type() == at::kBFloat16 &&
                  relative_BTHR.scalar_type() == at::kBFloat16 && profile_RE.scalar_type() == at::kFloat,
              "states are bfloat16, profiles float32");
  TORCH_CHECK(query_BTHX.stride(3) == 1 && key_BTJX.stride(3) == 1 && relative_BTHR.stride(3) == 1 &&
                  profile_RE.is_contiguous(),
              "the last dimension is contiguous");
  TORCH_CHECK(query_BTHX.size(3) % 32 == 0 && relative_BTHR.size(3) % 16 == 0 && profile_RE.size(1) % CT == 0,
              "widths are multiples of 32 and 16, the extent of 64");
  return {query_BTHX.size(0), query_BTHX.size(1), query_BTHX.size(2), key_BTJX.size(2), query_BTHX.size(3)};
}

const BFloat16* head_of(const Tensor& x_BTHX, int64_t row, int64_t head) {
  return x_BTHX.const_data_ptr<BFloat16>() + row * x_BTHX.stride(0) + head * x_BTHX.stride(2);
}

std::vector<Tensor> forward(const Tensor& query_BTHX, const Tensor& key_BTJX, const Tensor& value_BTJX,
                            const Tensor& relative_BTHR, const Tensor& profile_RE, double scale, int64_t window) {
  const Shape s = shape_of(query_BTHX, key_BTJX, relative_BTHR, profile_RE);
  const int64_t reach = window > 0 ? window : s.length, group = s.heads / s.kv_heads;
  Tensor output_BTHX = at::empty({s.rows, s.length, s.heads, s.width}, query_BTHX.options());
  Tensor log_sum_BHT = at::empty({s.rows, s.heads, s.length}, profile_RE.options());
  const Bank bank(profile_RE, s.length);
  const float factor = scale;
  at::parallel_for(0, s.rows * s.kv_heads, 1, [&](int64_t begin, int64_t end) {
    const int64_t pitch = pitch_for(s.length);
    std::vector<float> scores(QT * pitch), biases(QT * pitch), mixed(QT * s.width), shares(QT);
    std::vector<BFloat16> query(QT * s.width), relative(QT * bank.width), weights(QT * pitch);
    for (int64_t at = begin; at < end; ++at) {
      const int64_t row = at / s.kv_heads, kv = at % s.kv_heads;
      const Keys keys(head_of(key_BTJX, row, kv), head_of(value_BTJX, row, kv), key_BTJX.stride(1),
                      value_BTJX.stride(1), s.length, s.width, false);
      for (int64_t head = kv * group; head < (kv + 1) * group; ++head) {
        float* log_sum = log_sum_BHT.mutable_data_ptr<float>() + (row * s.heads + head) * s.length;
        for (int64_t start = 0; start < s.length; start += QT) {
          const Tile tile(start, s.length, reach);
          copy_rows(head_of(query_BTHX, row, head) + start * query_BTHX.stride(1), query_BTHX.stride(1),
                    tile.num_queries, s.width, query.data());
          copy_rows(head_of(relative_BTHR, row, head) + start * relative_BTHR.stride(1), relative_BTHR.stride(1),
                    tile.num_queries, bank.width, relative.data());
          score(tile, query.data(), relative.data(), keys, bank, s.width, pitch, scores.data(), biases.data());
          for (int64_t q = 0; q < QT; ++q) {
            auto* weight = reinterpret_cast<uint16_t*>(weights.data() + q * pitch);
            std::memset(weight, 0, tile.num_keys * 2);
            if (q >= tile.num_queries) continue;
            const int64_t low = tile.low(q, reach), num = tile.high(q) - low + 1;
            float* logit = scores.data() + q * pitch + low;
            const float greatest = make_logits(logit, biases.data() + q * pitch + QT - 1 - q + low, num, factor);
            const float sum = make_weights(logit, weight + low, num, greatest);
            log_sum[start + q] = greatest + std::log(sum);
            shares[q] = 1 / sum;
          }
          for (int64_t k = 0; k < tile.num_keys; k += KT)
            product(QT, s.width, KT, pitch, s.width, s.width, k > 0, weights.data() + k,
                   keys.value_pairs.data() + (tile.first_key + k) * s.width, mixed.data());
          for (int64_t q = 0; q < tile.num_queries; ++q) {
            auto* out = reinterpret_cast<uint16_t*>(output_BTHX.mutable_data_ptr<BFloat16>()) +
                        ((row * s.length + start + q) * s.heads + head) * s.width;
            const float share = shares[q];
#pragma omp simd
            for (int64_t x = 0; x < s.width; ++x) out[x] = rounded(mixed[q * s.width + x] * share);
          }
        }
      }
    }
    at::native::cpublas::brgemm_release();
  });
  return {output_BTHX, log_sum_BHT};
}

std::vector<Tensor> backward(const Tensor& grad_BTHX, const Tensor& query_BTHX, const Tensor& key_BTJX,
                             const Tensor& value_BTJX, const Tensor& relative_BTHR, const Tensor& profile_RE,
                             const Tensor& output_BTHX, const Tensor& log_sum_BHT, double scale, int64_t window) {
  const Shape s = shape_of(query_BTHX, key_BTJX, relative_BTHR, profile_RE);
  const int64_t reach = window > 0 ? window : s.length, group = s.heads / s.kv_heads;
  const Bank bank(profile_RE, s.length);
  const auto options = query_BTHX.options();
  Tensor d_query = at::empty({s.rows, s.length, s.heads, s.width}, options);
  Tensor d_key = at::empty({s.rows, s.length, s.kv_heads, s.width}, options);
  Tensor d_value = at::empty({s.rows, s.length, s.kv_heads, s.width}, options);
  Tensor d_relative = at::empty({s.rows, s.length, s.heads, bank.width}, options);
  Tensor d_profile = at::zeros_like(profile_RE);
  std::mutex adding;
  const float factor = scale;
  at::parallel_for(0, s.rows * s.kv_heads, 1, [&](int64_t begin, int64_t end) {
    const int64_t pitch = pitch_for(s.length), width = s.width;
    std::vector<float> scores(QT * pitch), biases(QT * pitch), d_weights(QT * pitch), d_queries(QT * width),
        d_relatives(QT * bank.width), d_keys(width * pitch), d_values(width * pitch), d_bank(bank.width * bank.extent);
    std::vector<BFloat16> query(QT * width), relative(QT * bank.width), grad(QT * width), query_T(QT * width),
        grad_T(QT * width), relative_T(QT * bank.width), weights(2 * pitch), d_logits(QT * pitch), d_biases(QT * pitch),
        weight_pairs(QT * pitch), d_logit_pairs(QT * pitch), d_bias_pairs(QT * pitch);
    for (int64_t at = begin; at < end; ++at) {
      const int64_t row = at / s.kv_heads, kv = at % s.kv_heads;
      const Keys keys(head_of(key_BTJX, row, kv), head_of(value_BTJX, row, kv), key_BTJX.stride(1),
                      value_BTJX.stride(1), s.length, width, true);
      std::fill(d_keys.begin(), d_keys.end(), 0.0f);
      std::fill(d_values.begin(), d_values.end(), 0.0f);
      for (int64_t head = kv * group; head < (kv + 1) * group; ++head) {
        const float* log_sum = log_sum_BHT.const_data_ptr<float>() + (row * s.heads + head) * s.length;
        for (int64_t start = 0; start < s.length; start += QT) {
          const Tile tile(start, s.length, reach);
          const int64_t num_keys = tile.num_keys, num_columns = tile.num_columns;
          const auto fetch = [&](const Tensor& from, int64_t wide, std::vector<BFloat16>& to) {
            copy_rows(head_of(from, row, head) + start * from.stride(1), from.stride(1), tile.num_queries, wide,
                      to.data());
          };
          const auto transpose = [&](const std::vector<BFloat16>& from, int64_t wide, std::vector<BFloat16>& to) {
            const auto* values = reinterpret_cast<const uint16_t*>(from.data());
            auto* out = reinterpret_cast<uint16_t*>(to.data());
            for (int64_t x = 0; x < wide; ++x)
              for (int64_t q = 0; q < QT; ++q) out[x * QT + q] = values[q * wide + x];
          };
          fetch(query_BTHX, width, query);
          fetch(relative_BTHR, bank.width, relative);
          fetch(grad_BTHX, width, grad);
          transpose(query, width, query_T);
          transpose(grad, width, grad_T);
          transpose(relative, bank.width, relative_T);
          score(tile, query.data(), relative.data(), keys, bank, width, pitch, scores.data(), biases.data());
          for (int64_t k = 0; k < num_keys; k += KT)
            product(QT, KT, width, width, KT, pitch, false, grad.data(),
                   keys.value_transposed.data() + (tile.first_key + k) * width, d_weights.data() + k);
          for (int64_t q = 0; q < QT; ++q) {
            auto* weight = reinterpret_cast<uint16_t*>(weights.data() + q % 2 * pitch);
            auto* d_logit = reinterpret_cast<uint16_t*>(d_logits.data() + q * pitch);
            auto* d_bias = reinterpret_cast<uint16_t*>(d_biases.data() + q * pitch);
            std::memset(weight, 0, num_keys * 2);
            std::memset(d_logit, 0, num_keys * 2);
            std::memset(d_bias, 0, num_columns * 2);
            if (q < tile.num_queries) {
              const int64_t low = tile.low(q, reach), num = tile.high(q) - low + 1, shift = QT - 1 - q;
              const BFloat16* out = head_of(output_BTHX, row, head) + (start + q) * output_BTHX.stride(1);
              float delta = 0;
              for (int64_t x = 0; x < width; ++x) delta += float(out[x]) * float(grad[q * width + x]);
              make_gradients(scores.data() + q * pitch + low, biases.data() + q * pitch + shift + low,
                             d_weights.data() + q * pitch + low, weight + low, d_logit + low, num, factor,
                             log_sum[start + q], delta);
              std::memcpy(d_bias + shift + low, d_logit + low, num * 2);
            }
            if (q % 2) {
              const int64_t pair = q / 2;
              interleave(weights.data(), weights.data() + pitch, num_keys,
                         weight_pairs.data() + pair * pitch * 2);
              interleave(d_logits.data() + (q - 1) * pitch, d_logits.data() + q * pitch, num_keys,
                         d_logit_pairs.data() + pair * pitch * 2);
              interleave(d_biases.data() + (q - 1) * pitch, d_biases.data() + q * pitch, num_columns,
                         d_bias_pairs.data() + pair * pitch * 2);
            }
          }
          for (int64_t k = 0; k < num_keys; k += KT) {
            product(QT, width, KT, pitch, width, width, k > 0, d_logits.data() + k,
                   keys.key_pairs.data() + (tile.first_key + k) * width, d_queries.data());
            product(width, KT, QT, QT, pitch, pitch, true, query_T.data(), d_logit_pairs.data() + k * 2,
                   d_keys.data() + tile.first_key + k);
            product(width, KT, QT, QT, pitch, pitch, true, grad_T.data(), weight_pairs.data() + k * 2,
                   d_values.data() + tile.first_key + k);
          }
          const int64_t num_tiles = num_columns / CT;
          for (int64_t t = 0; t < num_tiles; ++t) {
            const int64_t column = (num_tiles - 1 - t) * CT;
            product(QT, bank.width, CT, pitch, bank.width, bank.width, t > 0, d_biases.data() + column,
                   bank.transposed.data() + t * bank.width * CT, d_relatives.data());
            if ((t + 1) * CT <= bank.extent)
              product(bank.width, CT, QT, QT, pitch, bank.extent, true, relative_T.data(),
                     d_bias_pairs.data() + column * 2, d_bank.data() + bank.extent - (t + 1) * CT);
          }
          for (int64_t q = 0; q < tile.num_queries; ++q) {
            const int64_t place = (row * s.length + start + q) * s.heads + head;
            auto* to = reinterpret_cast<uint16_t*>(d_query.mutable_data_ptr<BFloat16>()) + place * width;
            for (int64_t x = 0; x < width; ++x) to[x] = rounded(d_queries[q * width + x] * factor);
            to = reinterpret_cast<uint16_t*>(d_relative.mutable_data_ptr<BFloat16>()) + place * bank.width;
            for (int64_t r = 0; r < bank.width; ++r) to[r] = rounded(d_relatives[q * bank.width + r]);
          }
        }
      }
      for (int64_t t = 0; t < s.length; ++t) {
        const int64_t place = ((row * s.length + t) * s.kv_heads + kv) * width;
        auto* key_to = reinterpret_cast<uint16_t*>(d_key.mutable_data_ptr<BFloat16>()) + place;
        auto* value_to = reinterpret_cast<uint16_t*>(d_value.mutable_data_ptr<BFloat16>()) + place;
        for (int64_t x = 0; x < width; ++x) {
          key_to[x] = rounded(d_keys[x * pitch + t] * factor);
          value_to[x] = rounded(d_values[x * pitch + t]);
        }
      }
    }
    at::native::cpublas::brgemm_release();
    const std::lock_guard<std::mutex> lock(adding);
    float* sum = d_profile.mutable_data_ptr<float>();
    for (int64_t i = 0; i < bank.width * bank.extent; ++i) sum[i] += d_bank[i];
  });
  return {d_query, d_key, d_value, d_relative, d_profile};
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("can_run", [] { return has_matrix_units() || HAS_VECTOR_PRODUCTS; });
  module.def("forward", &forward);
  module.def("backward", &backward);
}

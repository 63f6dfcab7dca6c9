/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VCPUS, MEMORY, CPU_POLICY, TSC_INFO, HVM_PARAMS: the facts of the virtual machine. */
#include "stream-format/bodies.h"
#include "stream-format/body_util.h"

#define LEAF_SIZE 24u
#define MSR_SIZE 16u
#define PARAM_SIZE 16u

static uint32_t vcpu_words(uint32_t max) { return (max + 63) / 64; }

int cv_rec_vcpus_encode(const struct cv_rec_vcpus *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_vcpus again;

    if (v->max == 0 || v->max > CV_VCPUS_MAX)
        return cv_encode_fail(err, "%u vCPUs", v->max);
    cv_put_u32(&p, v->max);
    cv_put_u32(&p, 0);
    for (uint32_t i = 0; i < vcpu_words(v->max); i++)
        cv_put_u64(&p, v->online[i]);
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_vcpus_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_vcpus_decode(struct cv_rec_vcpus *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    memset(v, 0, sizeof *v);
    v->max = cv_cur_u32(&c);
    uint32_t reserved = cv_cur_u32(&c);
    if (v->max == 0 || v->max > CV_VCPUS_MAX)
        return cv_body_fail(err, "%u vCPUs", v->max);
    uint64_t any = 0;
    for (uint32_t i = 0; i < vcpu_words(v->max); i++)
        any |= v->online[i] = cv_cur_u64(&c);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (reserved != 0)
        return cv_body_fail(err, "reserved field is not 0");
    if (any == 0)
        return cv_body_fail(err, "no vCPU is online");
    if (v->max % 64 != 0 && v->online[v->max / 64] >> (v->max % 64) != 0)
        return cv_body_fail(err, "a vCPU beyond %u is online", v->max);
    return 0;
}

void cv_rec_memory_set_ram(struct cv_rec_memory *v, const struct cv_physmap *map)
{
    struct cv_ram_range ram[2];

    v->e820_count = cv_physmap_ram(map, ram);
    for (uint32_t i = 0; i < v->e820_count; i++)
        v->e820[i] = (struct cv_e820_entry){ ram[i].start, ram[i].size, CV_E820_RAM };
}

int cv_rec_memory_encode(const struct cv_rec_memory *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_memory again;

    if (v->e820_count > CV_E820_MAX)
        return cv_encode_fail(err, "%u e820 entries", v->e820_count);
    cv_put_u64(&p, v->pfn_count);
    cv_put_u64(&p, v->max_pages);
    cv_put_u64(&p, v->owned_pages);
    cv_put_u64(&p, v->target_kib);
    cv_put_u64(&p, v->static_max_kib);
    cv_put_u64(&p, v->videoram_kib);
    cv_put_u64(&p, v->paging_pool_kib);
    cv_put_u32(&p, 12);
    cv_put_u32(&p, v->e820_count);
    for (uint32_t i = 0; i < v->e820_count; i++) {
        cv_put_u64(&p, v->e820[i].start);
        cv_put_u64(&p, v->e820[i].size);
        cv_put_u32(&p, v->e820[i].type);
        cv_put_u32(&p, 0);
    }
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_memory_decode(&again, out->data + start, out->len - start, err), err);
}

/* Ascending, not empty, not overlapping, not over the end of 64 bits. */
static int check_e820(const struct cv_rec_memory *v, struct cv_error *err)
{
    uint64_t end = 0;

    for (uint32_t i = 0; i < v->e820_count; i++) {
        const struct cv_e820_entry *e = &v->e820[i];
        if (e->size == 0 || e->type == 0 || e->start < end || e->start + e->size < e->start)
            return cv_body_fail(err, "e820 entry %u", i);
        end = e->start + e->size;
    }
    return 0;
}

int cv_rec_memory_decode(struct cv_rec_memory *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->pfn_count = cv_cur_u64(&c);
    v->max_pages = cv_cur_u64(&c);
    v->owned_pages = cv_cur_u64(&c);
    v->target_kib = cv_cur_u64(&c);
    v->static_max_kib = cv_cur_u64(&c);
    v->videoram_kib = cv_cur_u64(&c);
    v->paging_pool_kib = cv_cur_u64(&c);
    uint32_t page_shift = cv_cur_u32(&c), reserved = 0;
    v->e820_count = cv_cur_u32(&c);
    if (v->e820_count > CV_E820_MAX)
        return cv_body_fail(err, "%u e820 entries", v->e820_count);
    for (uint32_t i = 0; i < v->e820_count; i++) {
        v->e820[i].start = cv_cur_u64(&c);
        v->e820[i].size = cv_cur_u64(&c);
        v->e820[i].type = cv_cur_u32(&c);
        reserved |= cv_cur_u32(&c);
    }
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (v->pfn_count == 0 || v->pfn_count > CV_PFN_COUNT_MAX)
        return cv_body_fail(err, "%llu pfns", (unsigned long long)v->pfn_count);
    if (page_shift != 12)
        return cv_body_fail(err, "page shift %u", page_shift);
    if (reserved != 0)
        return cv_body_fail(err, "reserved field is not 0");
    return check_e820(v, err);
}

struct cv_policy_leaf cv_cpu_policy_leaf(const struct cv_rec_cpu_policy *v, uint32_t i)
{
    const uint8_t *p = v->leaves + (size_t)LEAF_SIZE * i;
    return (struct cv_policy_leaf){ .leaf = cv_load32(p),
                                    .subleaf = cv_load32(p + 4),
                                    .a = cv_load32(p + 8),
                                    .b = cv_load32(p + 12),
                                    .c = cv_load32(p + 16),
                                    .d = cv_load32(p + 20) };
}

struct cv_policy_msr cv_cpu_policy_msr(const struct cv_rec_cpu_policy *v, uint32_t i)
{
    const uint8_t *p = v->msrs + (size_t)MSR_SIZE * i;
    return (struct cv_policy_msr){ .index = cv_load32(p), .flags = cv_load32(p + 4), .value = cv_load64(p + 8) };
}

int cv_rec_cpu_policy_copy(const struct cv_rec_cpu_policy *v, struct cv_cpu_policy *p_out, struct cv_error *err)
{
    if (cv_cpu_policy_init(p_out, v->leaf_count, v->msr_count, err) < 0)
        return -1;
    for (uint32_t i = 0; i < v->leaf_count; i++)
        p_out->leaves[i] = cv_cpu_policy_leaf(v, i);
    for (uint32_t i = 0; i < v->msr_count; i++)
        p_out->msrs[i] = cv_cpu_policy_msr(v, i);
    return 0;
}

int cv_rec_cpu_policy_encode(const struct cv_policy_leaf *leaves, uint32_t leaf_count, const struct cv_policy_msr *msrs,
                             uint32_t msr_count, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_cpu_policy again;

    cv_put_u32(&p, leaf_count);
    cv_put_u32(&p, msr_count);
    for (uint32_t i = 0; i < leaf_count; i++) {
        const uint32_t words[] = {
            leaves[i].leaf, leaves[i].subleaf, leaves[i].a, leaves[i].b, leaves[i].c, leaves[i].d
        };
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
            cv_put_u32(&p, words[w]);
    }
    for (uint32_t i = 0; i < msr_count; i++) {
        cv_put_u32(&p, msrs[i].index);
        cv_put_u32(&p, msrs[i].flags);
        cv_put_u64(&p, msrs[i].value);
    }
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_cpu_policy_decode(&again, out->data + start, out->len - start, err), err);
}

static uint64_t leaf_key(struct cv_policy_leaf leaf) { return (uint64_t)leaf.leaf << 32 | leaf.subleaf; }

int cv_rec_cpu_policy_decode(struct cv_rec_cpu_policy *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->leaf_count = cv_cur_u32(&c);
    v->msr_count = cv_cur_u32(&c);
    if (v->leaf_count > CV_POLICY_MAX || v->msr_count > CV_POLICY_MAX)
        return cv_body_fail(err, "%u leaves, %u MSRs", v->leaf_count, v->msr_count);
    v->leaves = cv_cur_bytes(&c, (size_t)LEAF_SIZE * v->leaf_count);
    v->msrs = cv_cur_bytes(&c, (size_t)MSR_SIZE * v->msr_count);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    for (uint32_t i = 1; i < v->leaf_count; i++)
        if (leaf_key(cv_cpu_policy_leaf(v, i - 1)) >= leaf_key(cv_cpu_policy_leaf(v, i)))
            return cv_body_fail(err, "leaf %u is out of order", i);
    for (uint32_t i = 1; i < v->msr_count; i++)
        if (cv_cpu_policy_msr(v, i - 1).index >= cv_cpu_policy_msr(v, i).index)
            return cv_body_fail(err, "MSR %u is out of order", i);
    return 0;
}

int cv_rec_tsc_info_encode(const struct cv_rec_tsc_info *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };

    cv_put_u32(&p, v->mode);
    cv_put_u32(&p, v->khz);
    cv_put_u64(&p, v->nsec);
    cv_put_u32(&p, v->incarnation);
    cv_put_u32(&p, 0);
    return p.rc;
}

int cv_rec_tsc_info_decode(struct cv_rec_tsc_info *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->mode = cv_cur_u32(&c);
    v->khz = cv_cur_u32(&c);
    v->nsec = cv_cur_u64(&c);
    v->incarnation = cv_cur_u32(&c);
    uint32_t reserved = cv_cur_u32(&c);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    return reserved == 0 ? 0 : cv_body_fail(err, "reserved field is not 0");
}

struct cv_hvm_param cv_hvm_params_at(const struct cv_rec_hvm_params *v, uint32_t i)
{
    const uint8_t *p = v->entries + (size_t)PARAM_SIZE * i;
    return (struct cv_hvm_param){ .index = cv_load64(p), .value = cv_load64(p + 8) };
}

int cv_rec_hvm_params_encode(const struct cv_hvm_param *params, uint32_t count, struct cv_buf *out,
                             struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_hvm_params again;

    cv_put_u32(&p, count);
    cv_put_u32(&p, 0);
    for (uint32_t i = 0; i < count; i++) {
        cv_put_u64(&p, params[i].index);
        cv_put_u64(&p, params[i].value);
    }
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_hvm_params_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_hvm_params_decode(struct cv_rec_hvm_params *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->count = cv_cur_u32(&c);
    uint32_t reserved = cv_cur_u32(&c);
    if (v->count > CV_HVM_PARAMS_MAX)
        return cv_body_fail(err, "%u parameters", v->count);
    v->entries = cv_cur_bytes(&c, (size_t)PARAM_SIZE * v->count);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (reserved != 0)
        return cv_body_fail(err, "reserved field is not 0");
    for (uint32_t i = 1; i < v->count; i++)
        if (cv_hvm_params_at(v, i - 1).index >= cv_hvm_params_at(v, i).index)
            return cv_body_fail(err, "parameter %u is out of order", i);
    return 0;
}

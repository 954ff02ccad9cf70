; Two programs as the engine writes them in a hurry, of which the code is thrown away: they warm LLVM up.
; sin(x) * 2 + cos(y), and where(x > 0, exp(x - max(x, 1)), y) summed over the rows.
!0 = !{!"branch_weights", i32 1, i32 4000}
declare <16 x float> @vires_math_cos_float32_16(<16 x float>)
declare <16 x float> @vires_math_exp_float32_16(<16 x float>)
declare <16 x float> @vires_math_sin_float32_16(<16 x float>)
define internal void @k0(ptr %frame, i64 %task, ptr %b0, ptr %b1) nounwind {
entry:
  br label %v1.loop
v1.loop:
  %v3 = phi i64 [ 0, %entry ], [ %v10, %v1.loop ]
  %v4 = sub i64 50, 16
  %v5 = call i64 @llvm.smin.i64(i64 %v3, i64 %v4)
  %v6 = getelementptr float, ptr %b0, i64 %v5
  %v7 = load <16 x float>, ptr %v6, align 4
  %v8 = call <16 x float> @vires_math_cos_float32_16(<16 x float> %v7)
  %v9 = getelementptr float, ptr %b1, i64 %v5
  store <16 x float> %v8, ptr %v9, align 4
  %v10 = add i64 %v3, 16
  %v11 = icmp slt i64 %v10, 50
  br i1 %v11, label %v1.loop, label %v2.done
v2.done:
  ret void
}

define internal void @k1(ptr %frame, i64 %task, ptr %b0, ptr %b1, ptr %b2) nounwind {
entry:
  br label %v1.loop
v1.loop:
  %v3 = phi i64 [ 0, %entry ], [ %v22, %v8.done ]
  %v4 = mul i64 %v3, 50
  %v5 = getelementptr float, ptr %b1, i64 %v4
  %v6 = getelementptr float, ptr %b2, i64 %v4
  br label %v7.loop
v7.loop:
  %v9 = phi i64 [ 0, %v1.loop ], [ %v20, %v7.loop ]
  %v10 = sub i64 50, 16
  %v11 = call i64 @llvm.smin.i64(i64 %v9, i64 %v10)
  %v12 = getelementptr float, ptr %b0, i64 %v11
  %v13 = load <16 x float>, ptr %v12, align 4
  %v14 = getelementptr float, ptr %v5, i64 %v11
  %v15 = load <16 x float>, ptr %v14, align 4
  %v16 = call <16 x float> @vires_math_sin_float32_16(<16 x float> %v15)
  %v17 = fmul <16 x float> %v16, splat (float 0x4000000000000000)
  %v18 = fadd <16 x float> %v17, %v13
  %v19 = getelementptr float, ptr %v6, i64 %v11
  store <16 x float> %v18, ptr %v19, align 4
  %v20 = add i64 %v9, 16
  %v21 = icmp slt i64 %v20, 50
  br i1 %v21, label %v7.loop, label %v8.done
v8.done:
  %v22 = add i64 %v3, 1
  %v23 = icmp slt i64 %v22, 50
  br i1 %v23, label %v1.loop, label %v2.done
v2.done:
  ret void
}

define i32 @vires_entry(ptr %buffers, ptr %rt) nounwind {
entry:
  %frame = getelementptr ptr, ptr %buffers, i64 0
  %v1 = getelementptr ptr, ptr %frame, i64 1
  %v2 = load ptr, ptr %v1
  %v3 = getelementptr ptr, ptr %frame, i64 3
  %v4 = load ptr, ptr %v3
  call void @k0(ptr %frame, i64 0, ptr %v2, ptr %v4)
  %v5 = load ptr, ptr %v3
  %v6 = getelementptr ptr, ptr %frame, i64 0
  %v7 = load ptr, ptr %v6
  %v8 = getelementptr ptr, ptr %frame, i64 2
  %v9 = load ptr, ptr %v8
  call void @k1(ptr %frame, i64 0, ptr %v5, ptr %v7, ptr %v9)
  ret i32 0
}

define internal void @r0(ptr %frame, i64 %task, ptr %b0, ptr %b1) nounwind {
entry:
  br label %v1.loop
v1.loop:
  %v3 = phi i64 [ 0, %entry ], [ %v35, %v10.tail ]
  %v4 = mul i64 %v3, 50
  %v5 = getelementptr float, ptr %b0, i64 %v4
  %v6 = getelementptr float, ptr %b1, i64 %v3
  %v7 = sub i64 50, 8
  br label %v8.loop
v8.loop:
  %v11 = phi i64 [ 0, %v1.loop ], [ %v17, %v9.main ]
  %v12 = phi <8 x float> [ splat (float 0xFFF0000000000000), %v1.loop ], [ %v16, %v9.main ]
  %v13 = icmp sle i64 %v11, %v7
  br i1 %v13, label %v9.main, label %v10.tail
v9.main:
  %v14 = getelementptr float, ptr %v5, i64 %v11
  %v15 = load <8 x float>, ptr %v14, align 4
  %v16 = call <8 x float> @llvm.maximum.v8f32(<8 x float> %v12, <8 x float> %v15)
  %v17 = add i64 %v11, 8
  br label %v8.loop
v10.tail:
  %v18 = sub i64 50, %v11
  %v19 = insertelement <8 x i64> poison, i64 %v18, i64 0
  %v20 = shufflevector <8 x i64> %v19, <8 x i64> poison, <8 x i32> zeroinitializer
  %v21 = icmp ult <8 x i64> <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7>, %v20
  %v22 = getelementptr float, ptr %v5, i64 %v11
  %v23 = call <8 x float> @llvm.masked.load.v8f32.p0(ptr %v22, i32 4, <8 x i1> %v21, <8 x float> zeroinitializer)
  %v24 = call <8 x float> @llvm.maximum.v8f32(<8 x float> %v12, <8 x float> %v23)
  %v25 = select <8 x i1> %v21, <8 x float> %v24, <8 x float> %v12
  %v26 = shufflevector <8 x float> %v25, <8 x float> %v25, <4 x i32> <i32 0, i32 1, i32 2, i32 3>
  %v27 = shufflevector <8 x float> %v25, <8 x float> %v25, <4 x i32> <i32 4, i32 5, i32 6, i32 7>
  %v28 = call <4 x float> @llvm.maximum.v4f32(<4 x float> %v26, <4 x float> %v27)
  %v29 = shufflevector <4 x float> %v28, <4 x float> %v28, <2 x i32> <i32 0, i32 1>
  %v30 = shufflevector <4 x float> %v28, <4 x float> %v28, <2 x i32> <i32 2, i32 3>
  %v31 = call <2 x float> @llvm.maximum.v2f32(<2 x float> %v29, <2 x float> %v30)
  %v32 = extractelement <2 x float> %v31, i64 0
  %v33 = extractelement <2 x float> %v31, i64 1
  %v34 = call float @llvm.maximum.f32(float %v32, float %v33)
  store float %v34, ptr %v6, align 4
  %v35 = add i64 %v3, 1
  %v36 = icmp slt i64 %v35, 50
  br i1 %v36, label %v1.loop, label %v2.done
v2.done:
  ret void
}

define internal void @r1(ptr %frame, i64 %task, ptr %b0, ptr %b1, ptr %b2, ptr %b3) nounwind {
entry:
  br label %v1.loop
v1.loop:
  %v3 = phi i64 [ 0, %entry ], [ %v28, %v11.done ]
  %v4 = sub i64 50, 16
  %v5 = call i64 @llvm.smin.i64(i64 %v3, i64 %v4)
  %v6 = getelementptr float, ptr %b0, i64 %v5
  %v7 = load <16 x float>, ptr %v6, align 4
  %v8 = getelementptr float, ptr %b2, i64 %v5
  %v9 = getelementptr float, ptr %b3, i64 %v5
  br label %v10.loop
v10.loop:
  %v12 = phi i64 [ 0, %v1.loop ], [ %v26, %v10.loop ]
  %v13 = phi <16 x float> [ splat (float 0x0000000000000000), %v1.loop ], [ %v25, %v10.loop ]
  %v14 = getelementptr float, ptr %b1, i64 %v12
  %v15 = load float, ptr %v14, align 4
  %v16 = insertelement <16 x float> poison, float %v15, i64 0
  %v17 = shufflevector <16 x float> %v16, <16 x float> poison, <16 x i32> zeroinitializer
  %v18 = mul i64 %v12, 50
  %v19 = getelementptr float, ptr %v8, i64 %v18
  %v20 = load <16 x float>, ptr %v19, align 4
  %v21 = fsub <16 x float> %v20, %v17
  %v22 = call <16 x float> @vires_math_exp_float32_16(<16 x float> %v21)
  %v23 = fcmp ogt <16 x float> %v20, splat (float 0x0000000000000000)
  %v24 = select <16 x i1> %v23, <16 x float> %v22, <16 x float> %v7
  %v25 = fadd <16 x float> %v13, %v24
  %v26 = add i64 %v12, 1
  %v27 = icmp slt i64 %v26, 50
  br i1 %v27, label %v10.loop, label %v11.done
v11.done:
  store <16 x float> %v25, ptr %v9, align 4
  %v28 = add i64 %v3, 16
  %v29 = icmp slt i64 %v28, 50
  br i1 %v29, label %v1.loop, label %v2.done
v2.done:
  ret void
}

define i32 @vires_other(ptr %buffers, ptr %rt) nounwind {
entry:
  %frame = getelementptr ptr, ptr %buffers, i64 0
  %v1 = getelementptr ptr, ptr %frame, i64 0
  %v2 = load ptr, ptr %v1
  %v3 = getelementptr ptr, ptr %frame, i64 3
  %v4 = load ptr, ptr %v3
  call void @r0(ptr %frame, i64 0, ptr %v2, ptr %v4)
  %v5 = getelementptr ptr, ptr %frame, i64 1
  %v6 = load ptr, ptr %v5
  %v7 = load ptr, ptr %v3
  %v8 = load ptr, ptr %v1
  %v9 = getelementptr ptr, ptr %frame, i64 2
  %v10 = load ptr, ptr %v9
  call void @r1(ptr %frame, i64 0, ptr %v6, ptr %v7, ptr %v8, ptr %v10)
  ret i32 0
}
